CREATE TABLE public.conversations (
  id bigserial PRIMARY KEY,
  user_key text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX conversations_user_key_idx ON public.conversations (user_key, started_at DESC);

CREATE TABLE public.messages (
  conversation_id bigint NOT NULL REFERENCES public.conversations ON DELETE CASCADE,
  number integer NOT NULL,
  role text NOT NULL CHECK (role IN ('user', 'assistant')),
  content text NOT NULL,
  usage jsonb,
  PRIMARY KEY (conversation_id, number)
);

-- Which documents an answer rests on: the foreign key to messages has two columns.
CREATE TABLE public.citations (
  conversation_id bigint NOT NULL,
  message integer NOT NULL,
  document_id bigint NOT NULL REFERENCES public.documents ON DELETE CASCADE,
  rank smallint NOT NULL,
  PRIMARY KEY (conversation_id, message, document_id),
  FOREIGN KEY (conversation_id, message) REFERENCES public.messages (conversation_id, number) ON DELETE CASCADE
);
CREATE INDEX citations_document_id_idx ON public.citations (document_id);
