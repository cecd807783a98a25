#!/usr/bin/env bash
# Checks and plans runbooks, compares the plans with those of a base, and tells it all: as annotations, in the job's summary and in one
# comment of the pull request. Everything comes in as variables (see action.yml); nothing of it is ever run.
set -euo pipefail
shopt -s nullglob globstar

rbk=${RBK_BINARY:-rbk}
summary=${GITHUB_STEP_SUMMARY:-/dev/null}
# GitHub takes 65,536 characters of a comment and 1 MiB of a summary; these are bytes.
most_comment=64000
most_summary=1000000

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Words for whoever reads the job's log. What comes from files must not be read as a command to the runner.
say() { printf '%s\n' "$*"; }
quote_file() {
  local token
  token="rbk-$RANDOM-$RANDOM-$RANDOM-$RANDOM"
  say "::stop-commands::$token"
  cat -- "$1"
  say "::$token::"
}
html() { printf '%s' "$1" | tr '\n\r\t' '   ' | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'; }
size() { wc -c < "$1"; }

# --- which runbooks ---------------------------------------------------------------------------------------------------------------
files=()
while IFS= read -r pattern; do
  pattern=${pattern#"${pattern%%[![:space:]]*}"}
  pattern=${pattern%"${pattern##*[![:space:]]}"}
  [[ -n $pattern ]] || continue
  IFS='' # the pattern is one word; only its *, ? and [] mean something
  # shellcheck disable=SC2206
  found=($pattern)
  unset IFS
  for file in "${found[@]}"; do
    [[ -f $file ]] || continue
    [[ $file == /* ]] || file=./$file
    files+=("${file#./}")
  done
done <<< "${RBK_FILES:-runbooks/*.rbk}"
if ((${#files[@]} == 0)); then
  say "::error title=rbk::no runbook matches the action's input files"
  exit 1
fi

environment=()
[[ -z ${RBK_ENVIRONMENT:-} ]] || environment=("--env=$RBK_ENVIRONMENT")

# --- annotations ------------------------------------------------------------------------------------------------------------------
failed=0
"$rbk" check --format=github ${environment[@]+"${environment[@]}"} -- "${files[@]}" 2> "$work/check.err" || failed=1
[[ ! -s $work/check.err ]] || quote_file "$work/check.err"

# --- what to compare with ---------------------------------------------------------------------------------------------------------
base=${RBK_DIFF_BASE:-}
if [[ -z $base && -n ${GITHUB_BASE_REF:-} ]]; then
  if [[ ${GITHUB_REF:-} == refs/pull/*/merge ]] && git rev-parse --verify --quiet 'HEAD^2' > /dev/null; then
    # GitHub's own merge: its first parent is what the pull request is merged into.
    base='HEAD^1'
  else
    base=origin/$GITHUB_BASE_REF
    if ! git rev-parse --verify --quiet --end-of-options "$base^{commit}" > /dev/null; then
      git fetch --quiet --no-tags --depth=1 origin "+refs/heads/$GITHUB_BASE_REF:refs/remotes/origin/$GITHUB_BASE_REF" 2> "$work/fetch.err" \
        || quote_file "$work/fetch.err"
    fi
  fi
fi
[[ $base != none ]] || base=''

# --- plans and what changes in them -----------------------------------------------------------------------------------------------
differs=0
same=()
parts=() # names of what is told, each with a .main.md and perhaps a .plan.md
for index in "${!files[@]}"; do
  file=${files[$index]}
  part=$work/$index
  arguments=(--format=markdown ${environment[@]+"${environment[@]}"})
  if ! "$rbk" plan "${arguments[@]}" -- "$file" > "$part.plan.md" 2> "$part.err"; then
    failed=1
    differs=1
    if [[ -s $part.plan.md ]]; then
      mv "$part.plan.md" "$part.main.md" # it says what is wrong
    else
      printf '<p>❌ <code>%s</code> could not be planned; the log says why.</p>\n' "$(html "$file")" > "$part.main.md"
      rm -f "$part.plan.md"
    fi
    quote_file "$part.err"
    parts+=("$part")
    continue
  fi
  if [[ -z $base ]]; then
    mv "$part.plan.md" "$part.main.md"
    parts+=("$part")
    differs=1
    continue
  fi
  status=0
  "$rbk" plan "${arguments[@]}" "--diff=$base" --detailed-exitcode -- "$file" > "$part.main.md" 2> "$part.err" || status=$?
  case $status in
    0) same+=("$file") ;;
    2)
      differs=1
      parts+=("$part")
      ;;
    *)
      # Nothing to compare with: the whole plan is told instead.
      differs=1
      quote_file "$part.err"
      reason=$(grep -m 1 '^error:' "$part.err" || true)
      {
        printf '<p>Not compared with what was there before: <code>%s</code></p>\n\n' "$(html "${reason#error: }")"
        cat -- "$part.plan.md"
      } > "$part.main.md"
      rm -f "$part.plan.md"
      parts+=("$part")
      ;;
  esac
done

# --- one text, within a bound -----------------------------------------------------------------------------------------------------
told="$work/told.md"
compose() { # FILE MOST
  local out=$1 most=$2 left=0 part
  : > "$out"
  most=$((most - 3000)) # for what is said below, and the marker
  for part in ${parts[@]+"${parts[@]}"}; do
    {
      cat -- "$part.main.md"
      if [[ -f $part.plan.md ]]; then
        printf '\n<details><summary>The whole plan</summary>\n\n'
        cat -- "$part.plan.md"
        printf '\n</details>\n'
      fi
      printf '\n<hr>\n\n'
    } > "$told"
    if (($(size "$out") + $(size "$told") > most)); then
      { cat -- "$part.main.md" && printf '\n<hr>\n\n'; } > "$told"
    fi
    if (($(size "$out") + $(size "$told") > most)); then
      left=$((left + 1))
    else
      cat -- "$told" >> "$out"
    fi
  done
  if ((left > 0)); then
    printf '<p>⚠️ <b>%d of %d</b> runbooks did not fit in here: see the job.</p>\n\n' "$left" "${#parts[@]}" >> "$out"
  fi
  if ((${#same[@]} > 0)); then
    local names='' file
    for file in "${same[@]}"; do
      ((${#names} < 1500)) || { names+=', …'; break; }
      names+="${names:+, }<code>$(html "$file")</code>"
    done
    printf '<p>✅ Nothing changes in what is done by %s</p>\n\n' "$names" >> "$out"
  fi
  if [[ -n ${GITHUB_RUN_ID:-} ]]; then
    printf '<p><sub><a href="%s/%s/actions/runs/%s">The job</a> has all plans in its summary.</sub></p>\n' \
      "${GITHUB_SERVER_URL:-https://github.com}" "${GITHUB_REPOSITORY:-}" "$GITHUB_RUN_ID" >> "$out"
  fi
}

compose "$work/summary.md" "$most_summary"
cat -- "$work/summary.md" >> "$summary"
[[ -z ${GITHUB_OUTPUT:-} ]] || say "differs=$([[ $differs == 1 ]] && say true || say false)" >> "$GITHUB_OUTPUT"

# --- one comment ------------------------------------------------------------------------------------------------------------------
comment() {
  local number=${RBK_PULL_REQUEST:-} key marker repository id
  [[ ${RBK_COMMENT:-true} == true && $number =~ ^[0-9]+$ ]] || return 0
  repository=${GITHUB_REPOSITORY:?}
  # One comment for each environment, told by a marker that nobody sees.
  key=$(printf '%s' "${RBK_ENVIRONMENT:-default}" | tr -c 'A-Za-z0-9_.-' '-')
  marker="<!-- rbk-review: $key -->"
  compose "$work/body.md" "$most_comment"
  { printf '%s\n' "$marker" && cat -- "$work/body.md"; } > "$work/comment.md"
  id=$(gh api --paginate "repos/$repository/issues/$number/comments?per_page=100" \
    --jq ".[] | select(.user.type == \"Bot\") | select(.body | startswith(\"$marker\")) | .id") || return 1
  id=${id%%$'\n'*}
  if [[ $id =~ ^[0-9]+$ ]]; then
    gh api --silent --method PATCH "repos/$repository/issues/comments/$id" -F "body=@$work/comment.md"
  elif ((differs == 1)); then
    gh api --silent --method POST "repos/$repository/issues/$number/comments" -F "body=@$work/comment.md"
  fi
}
if ! comment 2> "$work/comment.err"; then
  # A pull request from a fork has a token that can't write: the review is in the summary all the same.
  say "::warning title=rbk::the comment could not be written (pull-requests: write is needed, and a fork never has it); the job's summary has the plans"
  quote_file "$work/comment.err"
fi

exit "$failed"
