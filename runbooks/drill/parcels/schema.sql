-- What a drill of parcels.toml creates before the disaster: a carrier's shop in small.
--
-- Two schemas, uuid keys, an enum, arrays, ranges, exact numbers, composite foreign keys, a generated column, and no
-- vector anywhere. The application logs in as the master user, so there is nobody to grant to.

CREATE SCHEMA shop;
CREATE SCHEMA logistics;

CREATE TYPE shop.order_status AS ENUM ('placed', 'paid', 'packed', 'shipped', 'delivered', 'returned');
CREATE DOMAIN shop.country AS text CHECK (VALUE IN ('DE', 'FR', 'IE', 'NL', 'PL'));

CREATE TABLE shop.customers (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  email text NOT NULL,
  country shop.country NOT NULL,
  tags text[] NOT NULL DEFAULT '{}',
  preferences jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX customers_email_key ON shop.customers (lower(email));
CREATE INDEX customers_tags_idx ON shop.customers USING gin (tags);

CREATE TABLE shop.products (
  sku text PRIMARY KEY,
  title text NOT NULL,
  price numeric(10, 2) NOT NULL CHECK (price > 0),
  weights_g integer[] NOT NULL
);

-- Order numbers are printed on labels: a sequence of their own, which no column owns.
CREATE SEQUENCE shop.order_numbers START 100001;

CREATE TABLE shop.orders (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  number bigint NOT NULL UNIQUE DEFAULT nextval('shop.order_numbers'),
  customer_id uuid NOT NULL REFERENCES shop.customers,
  status shop.order_status NOT NULL DEFAULT 'placed',
  placed_at timestamptz NOT NULL DEFAULT now(),
  note text
);
CREATE INDEX orders_open_idx ON shop.orders (placed_at) WHERE status IN ('placed', 'paid', 'packed');

CREATE TABLE shop.order_lines (
  order_id uuid NOT NULL REFERENCES shop.orders ON DELETE CASCADE,
  line smallint NOT NULL,
  sku text NOT NULL REFERENCES shop.products,
  quantity integer NOT NULL CHECK (quantity > 0),
  unit_price numeric(10, 2) NOT NULL,
  total numeric(12, 2) GENERATED ALWAYS AS (quantity * unit_price) STORED,
  PRIMARY KEY (order_id, line)
);

CREATE TABLE logistics.shipments (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  order_id uuid NOT NULL REFERENCES shop.orders,
  depot inet NOT NULL,
  delivery_window tstzrange NOT NULL,
  UNIQUE (order_id, id)
);

-- A shipment carries lines of its own order, and of no other: both keys have two columns.
CREATE TABLE logistics.shipment_lines (
  shipment_id uuid NOT NULL,
  order_id uuid NOT NULL,
  line smallint NOT NULL,
  PRIMARY KEY (shipment_id, line),
  FOREIGN KEY (order_id, shipment_id) REFERENCES logistics.shipments (order_id, id) ON DELETE CASCADE,
  FOREIGN KEY (order_id, line) REFERENCES shop.order_lines (order_id, line) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE logistics.scans (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  shipment_id uuid NOT NULL REFERENCES logistics.shipments ON DELETE CASCADE,
  place text NOT NULL,
  payload jsonb NOT NULL,
  scanned_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX scans_scanned_at_idx ON logistics.scans USING brin (scanned_at);

CREATE VIEW shop.order_totals AS
  SELECT o.number, o.status, sum(l.total) AS total
  FROM shop.orders o
  JOIN shop.order_lines l ON l.order_id = o.id
  GROUP BY o.id;

CREATE MATERIALIZED VIEW logistics.depot_load AS
  SELECT depot, count(*) AS shipments FROM logistics.shipments GROUP BY depot;
CREATE UNIQUE INDEX depot_load_depot_key ON logistics.depot_load (depot);

INSERT INTO shop.products (sku, title, price, weights_g)
SELECT 'SKU-' || lpad(CAST(n AS text), 4, '0'), 'Box of size ' || n, 1.99 + n, ARRAY[100 * n, 120 * n]
FROM generate_series(1, 200) AS n;
