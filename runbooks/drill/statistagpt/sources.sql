-- Rows that are there from the first day, before any batch of rows.sql. No change set writes them: a rebuilt schema is empty.

INSERT INTO public.sources (key, title, settings) VALUES
  ('statistics', 'Statistics', '{"refresh": "daily"}'),
  ('reports', 'Dossiers and reports', '{"refresh": "weekly", "paid": true}'),
  ('surveys', 'Consumer surveys', '{"refresh": "monthly", "paid": true}');
