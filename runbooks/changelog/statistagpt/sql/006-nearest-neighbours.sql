-- Made last: `rebuild-schema.rbk` drops it before the copy and restores it afterwards, since a graph is built faster over
-- rows that are there than it grows with them.
CREATE INDEX embeddings_embedding_vector_idx ON public.embeddings
  USING hnsw (embedding_vector vector_cosine_ops) WITH (m = 8, ef_construction = 32);
