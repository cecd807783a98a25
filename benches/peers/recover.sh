#!/usr/bin/env bash
# The quick recovery with the AWS command line, as a team would write it: no journal, no plan, no undoing.
#
# Beside rbk in `benches/run recovery`. It finds the sandbox through AWS_ENDPOINT_URL and PGSSLROOTCERT. With `--proofs` it also does
# what the runbook proves and awaits: the checks, the freeze, health (at HEALTH_URL), the sessions that left.
set -euo pipefail

original=statistagptdb recovery=statistagptdb-recovery database=statistagpt role=sgpt_app
secret=rds/statistagptdb_recovery pointer=sgpt/active_secret_key
proofs=${1:-}

export AWS_PAGER=""
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }   # older ones ignore the variable for some services

# host port user password sql. Without psql on the machine nothing is asked, and the benchmark says so.
ask() {
  [ -z "${WITHOUT_PSQL:-}" ] || { echo t; return; }
  PGPASSWORD=$4 psql -XqtA -v ON_ERROR_STOP=1 \
    "host=$1 port=$2 dbname=$database user=$3 sslmode=verify-full connect_timeout=5" <<<"$5"
}

settled() {
  [ "$(aws rds describe-db-instances --db-instance-identifier "$recovery" --output text \
    --query 'DBInstances[0].[DBInstanceStatus, length(keys(PendingModifiedValues || `{}`))]')" = "available	0" ]
}

until_true() {
  for _ in $(seq 200); do
    if "$@"; then return; fi
    sleep 0.1
  done
  echo "gave up" >&2
  exit 1
}

put() { aws secretsmanager put-secret-value --secret-id "$1" --secret-string "$2" >/dev/null; }

credentials() {
  printf '{"engine":"postgres","dbname":"%s","host":"%s","port":%s,"username":"%s","password":"%s","dbInstanceIdentifier":"%s"}' \
    "$database" "$host" "$port" "$1" "$2" "$recovery"
}

snapshot=$(aws rds describe-db-snapshots --db-instance-identifier "$original" --output text \
  --query 'sort_by(DBSnapshots[?Status==`available`], &SnapshotCreateTime)[-1].DBSnapshotIdentifier')
aws rds restore-db-instance-from-db-snapshot --db-instance-identifier "$recovery" --db-snapshot-identifier "$snapshot" \
  --db-instance-class db.r6g.large --db-subnet-group-name statistagpt-db --vpc-security-group-ids sg-0a1b2c3d4e5f60718 \
  --db-parameter-group-name statistagpt-pg16 --no-publicly-accessible --no-multi-az \
  --tags Key=team,Value=statistagpt Key=cost-centre,Value=4711 >/dev/null
until_true settled
read -r host port master < <(aws rds describe-db-instances --db-instance-identifier "$recovery" --output text \
  --query 'DBInstances[0].[Endpoint.Address, Endpoint.Port, MasterUsername]')

password=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
aws rds modify-db-instance --db-instance-identifier "$recovery" --master-user-password "$password" --apply-immediately >/dev/null
until_true settled
until_true ask "$host" "$port" "$master" "$password" 'SELECT true' >/dev/null
put "${secret}_admin" "$(credentials "$master" "$password")"

role_password=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
ask "$host" "$port" "$master" "$password" "ALTER ROLE $role LOGIN PASSWORD '$role_password'" >/dev/null
ask "$host" "$port" "$role" "$role_password" 'SELECT true' >/dev/null
put "$secret" "$(credentials "$role" "$role_password")"

if [ "$proofs" = --proofs ]; then
  [ "$(ask "$host" "$port" "$master" "$password" "SELECT EXISTS (SELECT FROM public.documents) AND EXISTS (SELECT FROM public.embeddings)
    AND (SELECT max(created_at) > now() - interval '26 hours' FROM public.documents)")" = t ]
  { read -r o_host; read -r o_port; read -r o_user; read -r o_password; } < <(
    aws secretsmanager get-secret-value --secret-id rds/statistagptdb_admin --query SecretString --output text |
      python3 -c 'import json, sys; s = json.load(sys.stdin); print(s["host"], s["port"], s["username"], s["password"], sep="\n")')
  sessions="FROM pg_stat_activity WHERE usename = '$role'"
  ask "$o_host" "$o_port" "$o_user" "$o_password" \
    "ALTER ROLE $role NOLOGIN; SELECT count(pg_terminate_backend(pid)) $sessions" >/dev/null
fi

put "$pointer" "$secret"

healthy() { curl -fso /dev/null --max-time 5 "$HEALTH_URL"; }
left() { [ "$(ask "$o_host" "$o_port" "$o_user" "$o_password" "SELECT count(*) = 0 $sessions")" = t ]; }
if [ "$proofs" = --proofs ]; then
  until_true healthy
  until_true left
fi
