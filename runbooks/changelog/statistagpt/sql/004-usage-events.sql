-- Partitioned, as tables that only grow are. The sequence belongs to the parent.
CREATE TABLE public.usage_events (
  id bigserial,
  user_key varchar(100) NOT NULL,
  kind text NOT NULL,
  tokens integer NOT NULL DEFAULT 0,
  details jsonb,
  happened_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_key, id)
) PARTITION BY HASH (user_key);
CREATE TABLE public.usage_events_0 PARTITION OF public.usage_events FOR VALUES WITH (MODULUS 4, REMAINDER 0);
CREATE TABLE public.usage_events_1 PARTITION OF public.usage_events FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE public.usage_events_2 PARTITION OF public.usage_events FOR VALUES WITH (MODULUS 4, REMAINDER 2);
CREATE TABLE public.usage_events_3 PARTITION OF public.usage_events FOR VALUES WITH (MODULUS 4, REMAINDER 3);
CREATE INDEX usage_events_happened_at_idx ON public.usage_events (happened_at);
