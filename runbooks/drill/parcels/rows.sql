-- One batch of customers with an order each, numbered from the first to the last number that a drill puts in.
-- Everything follows from the number, so that two drills hold the same data. Run it again for the next numbers,
-- never twice for the same.

-- :from and :to are replaced as text. Casts are written CAST(… AS …), which can't be mistaken for them.

INSERT INTO shop.customers (id, email, country, tags, preferences, created_at)
SELECT
  CAST(md5('customer ' || n) AS uuid),
  'Customer.' || n || '@example.com',
  (ARRAY['DE', 'FR', 'IE', 'NL', 'PL'])[1 + n % 5],
  CASE WHEN n % 7 = 0 THEN ARRAY['vip', 'newsletter'] WHEN n % 2 = 0 THEN ARRAY['newsletter'] ELSE '{}' END,
  jsonb_build_object('number', n, 'door', jsonb_build_object('code', n % 10000, 'ring_twice', n % 3 = 0)),
  clock_timestamp()
FROM generate_series(:from, :to) AS n
ORDER BY n;

INSERT INTO shop.orders (id, customer_id, status, placed_at, note)
SELECT
  CAST(md5('order ' || n) AS uuid),
  CAST(md5('customer ' || n) AS uuid),
  CAST((ARRAY['placed', 'paid', 'packed', 'shipped', 'delivered', 'returned'])[1 + n % 6] AS shop.order_status),
  clock_timestamp() - (:to - n) * interval '5 milliseconds',
  CASE WHEN n % 4 = 0 THEN 'Leave it with neighbour ' || n % 30 END
FROM generate_series(:from, :to) AS n
ORDER BY n;

INSERT INTO shop.order_lines (order_id, line, sku, quantity, unit_price)
SELECT CAST(md5('order ' || n) AS uuid), line, p.sku, 1 + (n + line) % 5, p.price
FROM generate_series(:from, :to) AS n
CROSS JOIN LATERAL generate_series(1, 1 + n % 3) AS line
JOIN shop.products p ON p.sku = 'SKU-' || lpad(CAST(1 + (n * 7 + line) % 200 AS text), 4, '0')
ORDER BY n, line;

-- What is shipped, delivered or returned has a shipment with all its lines, and two scans on its way.
INSERT INTO logistics.shipments (id, order_id, depot, delivery_window)
SELECT
  CAST(md5('shipment ' || n) AS uuid),
  CAST(md5('order ' || n) AS uuid),
  CAST('10.20.' || n % 12 || '.1' AS inet),
  tstzrange(date_trunc('hour', now()) + n % 48 * interval '1 hour', date_trunc('hour', now()) + (2 + n % 48) * interval '1 hour')
FROM generate_series(:from, :to) AS n
WHERE n % 6 >= 3
ORDER BY n;

INSERT INTO logistics.shipment_lines (shipment_id, order_id, line)
SELECT CAST(md5('shipment ' || n) AS uuid), CAST(md5('order ' || n) AS uuid), line
FROM generate_series(:from, :to) AS n
CROSS JOIN LATERAL generate_series(1, 1 + n % 3) AS line
WHERE n % 6 >= 3;

INSERT INTO logistics.scans (shipment_id, place, payload, scanned_at)
SELECT
  CAST(md5('shipment ' || n) AS uuid),
  place,
  jsonb_build_object('reader', n % 40, 'number', n),
  clock_timestamp() - (:to - n) * interval '5 milliseconds'
FROM generate_series(:from, :to) AS n
CROSS JOIN (VALUES ('depot'), ('van')) AS p (place)
WHERE n % 6 >= 3
ORDER BY n, place;

REFRESH MATERIALIZED VIEW logistics.depot_load;
