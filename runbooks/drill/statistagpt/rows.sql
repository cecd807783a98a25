-- One batch of documents, numbered from the first to the last number that a drill puts in, and all that hangs on
-- them. Ids come from the sequences, as the application's do; everything else follows from the number, so that two
-- drills hold the same data. Run it again for the next numbers, never twice for the same.

-- :from and :to are replaced as text. Casts are written CAST(… AS …), which can't be mistaken for them.

INSERT INTO public.documents (source_id, external_id, title, body, language, metadata, published_on, created_at)
SELECT
  1 + n % 3,
  'doc-' || lpad(CAST(n AS text), 8, '0'),
  'Revenue of market ' || n % 97 || ' in ' || 2000 + n % 26,
  'Number ' || n || '. ' || repeat('The share rose in year ' || n % 26 || ' and fell in the next. ', CAST(2 + n % 9 AS integer)),
  (ARRAY['en', 'de', 'fr', 'es'])[1 + n % 4],
  jsonb_build_object('number', n, 'topics', jsonb_build_array('market-' || n % 97, 'year-' || n % 26), 'premium', n % 5 = 0),
  DATE '2000-01-01' + CAST(n % 9000 AS integer),
  clock_timestamp() - (:to - n) * interval '5 milliseconds'
FROM generate_series(:from, :to) AS n
ORDER BY n;

-- A vector of 1536 numbers between -1 and 1 from the hashes of the document's number.
INSERT INTO public.embeddings (document_id, content, model, embedding_vector)
SELECT d.id, d.title, 'text-embedding-ada-002', v.vector
FROM generate_series(:from, :to) AS n
JOIN public.documents d ON d.external_id = 'doc-' || lpad(CAST(n AS text), 8, '0')
CROSS JOIN LATERAL (
  SELECT CAST(array_agg(CAST(hashint8(n * 1536 + i) AS real) / 2147483648) AS vector(1536)) AS vector
  FROM generate_series(1, 1536) AS i
) v
ORDER BY n;

-- Every tenth document is asked about: a conversation with a question and an answer that cites it.
WITH asked AS (
  INSERT INTO public.conversations (user_key, started_at)
  SELECT 'user-' || n % 211, clock_timestamp()
  FROM generate_series(:from, :to) AS n
  WHERE n % 10 = 0
  ORDER BY n
  RETURNING id, user_key
),
numbered AS (
  SELECT id, row_number() OVER (ORDER BY id) AS position FROM asked
),
documents AS (
  SELECT d.id, d.title, n, row_number() OVER (ORDER BY n) AS position
  FROM generate_series(:from, :to) AS n
  JOIN public.documents d ON d.external_id = 'doc-' || lpad(CAST(n AS text), 8, '0')
  WHERE n % 10 = 0
),
said AS (
  INSERT INTO public.messages (conversation_id, number, role, content, usage)
  SELECT c.id, m.number, m.role,
    CASE m.role WHEN 'user' THEN 'What about: ' || d.title || '?' ELSE 'It rose, and then it fell.' END,
    CASE m.role WHEN 'assistant' THEN jsonb_build_object('tokens', 100 + d.n % 900) END
  FROM numbered c
  JOIN documents d USING (position)
  CROSS JOIN (VALUES (1, 'user'), (2, 'assistant')) AS m (number, role)
  RETURNING conversation_id, number
)
INSERT INTO public.citations (conversation_id, message, document_id, rank)
SELECT c.id, s.number, d.id, 1
FROM numbered c
JOIN documents d USING (position)
JOIN said s ON s.conversation_id = c.id AND s.number = 2;

INSERT INTO public.usage_events (user_key, kind, tokens, details, happened_at)
SELECT
  'user-' || n % 211,
  (ARRAY['search', 'answer', 'export'])[1 + n % 3],
  100 + n % 900,
  CASE WHEN n % 3 = 1 THEN jsonb_build_object('document', n) END,
  clock_timestamp() - (:to - n) * interval '5 milliseconds'
FROM generate_series(:from, :to) AS n
ORDER BY n;
