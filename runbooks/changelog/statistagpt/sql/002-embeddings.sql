-- The table that DMS can't carry as it is: a vector, an index on it, and text that must not be null.
CREATE TABLE public.embeddings (
  id bigserial PRIMARY KEY,
  document_id bigint NOT NULL REFERENCES public.documents ON DELETE CASCADE,
  chunk integer NOT NULL DEFAULT 0,
  content text NOT NULL,
  model text NOT NULL,
  embedding_vector vector(1536) NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (document_id, chunk)
);
