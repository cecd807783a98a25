"""Part three: comparing and copying tables, beside `psql` doing the same.

All of it runs on one server with two databases, a child of this script. The tables have a vector column, texts of the size of a
page, and many narrow rows in partitions.
"""
import json
import os
import subprocess

import measure
from measure import Goal, Peer

PSQL = Peer("psql", "apt-get install postgresql-client")
TABLES = {
    "documents": ["id", "title", "body", "metadata", "created_at"],
    "embeddings": ["id", "document_id", "embedding_vector"],
    "usage_events": ["id", "user_key", "tokens", "share", "happened_at"],
}
SMALLER = 10  # times fewer rows, where it is asked whether memory grows with them


def run(program, directory, turns, rows):
    """Prints the tables; gives back the goals."""
    turns = turns or 5
    print(f"psql: {measure.output(['psql', '--version']) if PSQL.there() else PSQL.missing()}\n")
    with Server(program, rows // SMALLER, directory) as server:
        small = {name: measure.peak(argv, log=server.log) for name, argv in server.methods.items()}
    with Server(program, rows, directory) as server:
        # The copy comes first: the comparison needs something to be equal.
        large = {name: measure.peak(argv, log=server.log) for name, argv in server.methods.items()}
        if PSQL.there():
            prove_equal(server)
        costs = in_turn(server, turns)

    print(f"## Comparing and copying tables, {turns} turns, {rows} documents, {server.bytes / 1e6:.0f} MB on each side\n")
    lines = []
    for name, of in costs.items():
        walls = [cost.wall for cost in of]
        sides = 2 if "compares" in name else 1
        peer = next((other for other in costs if other.startswith(name.replace("rbk", "psql")) and other != name), None)
        lines.append([
            name,
            measure.seconds(walls),
            measure.spread([sides * server.bytes / 1e6 / wall for wall in walls], lambda value: f"{value:.0f}") + " MB/s",
            measure.times(measure.ratios(walls, [cost.wall for cost in costs[peer]])) if peer and name in server.methods else "",
            measure.milliseconds([cost.cpu for cost in of]),
            measure.mebibytes([large.get(name)]) if name in large else "",
            measure.mebibytes([small.get(name)]) if name in small else "",
        ])
    if not PSQL.there():
        lines.append(["psql", PSQL.missing(), "", "", "", "", ""])
    measure.table(["", "wall", "of the tables", "beside psql", "own CPU", "peak memory", f"with a {SMALLER}th of the rows"], lines)

    def beside(name, peer):
        return measure.ratios([cost.wall for cost in costs[name]], [cost.wall for cost in costs[peer]]) if peer in costs else None

    goals = [
        Goal("comparing tables: beside `psql` with one session", 1.0, beside("rbk compares", "psql compares, a side at a time"), "×", PSQL.missing()),
        Goal("copying tables: beside `psql | psql`, binary", 1.5, beside("rbk copies", "psql copies"), "×", PSQL.missing()),
    ]
    for name, what in (("rbk compares", "comparing"), ("rbk copies", "copying")):
        grown = [large[name] / small[name]] if large[name] and small[name] else None
        goals.append(Goal(f"{what} tables: memory with {SMALLER} times the rows", 1.25, grown, "×", "not measured"))
        goals.append(Goal(f"{what} tables: peak memory", 40, [large[name]] if large[name] else None, "MiB", "not measured"))
    return goals


def in_turn(server, turns):
    """Each method's costs, one a turn. Before each copy the target is emptied, which isn't measured."""
    costs = {}
    for _ in range(turns):
        for name, argv in {**server.methods, **server.peers}.items():
            if "copies" in name:
                if not PSQL.there():
                    continue
                server.psql("target", f"TRUNCATE {', '.join(TABLES)}")
                server.psql("target", "CHECKPOINT")
            costs.setdefault(name, []).append(measure.run(argv, server.environment, server.log))
    return costs


def prove_equal(server):
    """Both make the same sums; else the figures compare nothing."""
    theirs = "".join(server.psql("source", sums(name)) for name in TABLES)
    ours = subprocess.run(server.methods["rbk compares"], capture_output=True, text=True, check=True).stdout
    if ours != theirs or theirs != "".join(server.psql("target", sums(name)) for name in TABLES):
        raise measure.Broken(f"the sums differ:\n{ours}\n{theirs}")


def sums(name):
    """What a person would have `psql` compute; the same sums as rbk's."""
    columns = ", ".join(f"t.{column}" for column in TABLES[name])
    return (
        f"SELECT 'public.{name} ' || count(*) || ' ' || sum(hashtextextended(line, 0)) || '/' || sum(hashtextextended(line, 7046029254386353131)) "
        f"FROM (SELECT ROW({columns})::text COLLATE \"C\" AS line FROM public.{name} AS t OFFSET 0) AS lines"
    )


class Server:
    """`tables serve` as a child of this process, gone when left."""

    def __init__(self, program, rows, directory):
        self.argv = [program, "serve", str(rows)]
        self.log = os.path.join(directory, "tables.log")

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        line = self.child.stdout.readline().decode()
        if not line:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise measure.Broken(f"`{' '.join(self.argv)}` did not get ready:\n{log.read()[-3000:]}")
        host, port, ca, self.bytes = json.loads(line)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        self.environment = {
            **clean,
            "PGHOST": host,
            "PGPORT": str(port),
            "PGUSER": "master",
            "PGPASSWORD": "only-for-this-bench",
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": ca,
            # What rbk pins, and what a person has to remember.
            "PGOPTIONS": "-c extra_float_digits=3 -c TimeZone=UTC -c DateStyle=ISO,YMD -c IntervalStyle=postgres -c bytea_output=hex",
            "PGTZ": "UTC",
        }
        program = self.argv[0]
        self.methods = {"rbk copies": [program, "copy", line.strip()], "rbk compares": [program, "compare", line.strip()]}
        self.peers = {}
        if PSQL.there():
            side = lambda database: "psql -X -q -A -t -d " + database + "".join(f" -c '{quoted(sums(name))}'" for name in TABLES)
            copies = " && ".join(
                f"psql -X -q -d source -c 'COPY public.{name} TO STDOUT (FORMAT binary)'".replace(f"COPY public.{name}", f"COPY (SELECT * FROM public.{name})")
                + f" | psql -X -q -d target -c 'SET session_replication_role = replica' -c 'COPY public.{name} FROM STDIN (FORMAT binary)'"
                for name in TABLES
            )
            self.peers = {
                "psql copies": ["/bin/sh", "-c", copies],
                "psql compares, a side at a time": ["/bin/sh", "-c", f"{side('source')} && {side('target')}"],
                "psql compares, both sides at once": ["/bin/sh", "-c", f"{side('source')} & {side('target')} && wait"],
            }
        return self

    def psql(self, database, statement):
        """What it answers."""
        argv = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement]
        return subprocess.run(argv, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout

    def __exit__(self, *_):
        self.child.stdin.close()
        try:
            self.child.wait(60)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise measure.Broken("the server did not end with its input") from None
        finally:
            self.child.stdout.close()


def quoted(sql):
    """Within single quotes of a shell."""
    return sql.replace("'", "'\\''")
