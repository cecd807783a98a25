CREATE VIEW public.document_overview AS
  SELECT d.id, d.external_id, d.title, s.key AS source, d.created_at, count(c.message) AS citations
  FROM public.documents d
  JOIN public.sources s ON s.id = d.source_id
  LEFT JOIN public.citations c ON c.document_id = d.id
  GROUP BY d.id, s.key;
