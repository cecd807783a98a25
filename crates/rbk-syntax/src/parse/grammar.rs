//! The parser that pest makes of `grammar/rbk.pest`, and how its rules are called in messages.

use pest_derive::Parser;

#[derive(Parser)]
#[grammar = "../../grammar/rbk.pest"]
pub(super) struct Grammar;

/// What a message calls that which a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wording {
    /// A word of the language or a sign, as it is written.
    Literal(&'static str),
    /// What kind of thing stands here.
    Kind(&'static str),
    /// Not worth a mention.
    Silent,
}

impl Rule {
    /// The wording of every rule.
    pub(super) fn wording(self) -> Wording {
        use Wording::{Kind, Literal, Silent};
        match self {
            Rule::EOI => Kind("the end of the statement"),
            Rule::WHITESPACE
            | Rule::blank
            | Rule::initial
            | Rule::word
            | Rule::digits
            | Rule::two
            | Rule::date
            | Rule::clock => Silent,

            Rule::runbook => Literal("runbook"),
            Rule::param => Literal("param"),
            Rule::let_value => Literal("let"),
            Rule::require => Literal("require"),
            Rule::use_file => Literal("use"),
            Rule::procedure => Literal("procedure"),
            Rule::parameters => Literal("("),
            Rule::parameter => Kind("a name"),
            Rule::step => Literal("step"),
            Rule::on_failure => Literal("on failure"),
            Rule::parallel => Literal("parallel"),
            Rule::bounds => Literal("where"),

            Rule::if_block => Literal("if"),
            Rule::else_if_block | Rule::else_block => Literal("else"),

            Rule::restore => Literal("restore"),
            Rule::take_snapshot | Rule::taken => Literal("snapshot"),
            Rule::set_credentials => Literal("set credentials of"),
            Rule::switch_secret => Literal("switch secret of"),
            Rule::freeze_writes => Literal("freeze writes on"),
            Rule::thaw_writes => Literal("thaw writes on"),
            Rule::keep => Literal("keep"),
            Rule::keep_frozen => Literal("keep writes frozen on"),
            Rule::destroy => Literal("destroy"),
            Rule::named => Literal("let"),
            Rule::replication => Literal("replicate"),
            Rule::await_condition => Literal("await"),
            Rule::assert => Literal("assert"),
            Rule::approve => Literal("approve"),
            Rule::note => Literal("note"),

            Rule::recreate_schema => Literal("recreate schema"),
            Rule::migrate => Literal("migrate"),
            Rule::drop_index => Literal("drop index"),
            Rule::drop_indexes => Literal("drop indexes on"),
            Rule::restore_indexes => Literal("restore indexes on"),
            Rule::alter_column => Literal("alter column"),
            Rule::alter_columns => Literal("alter columns of type"),
            Rule::restore_column_types => Literal("restore column types in"),
            Rule::relax_not_null => Literal("relax not null on"),
            Rule::restore_not_null => Literal("restore not null on"),
            Rule::sync_sequences => Literal("sync sequences of"),
            Rule::validate_constraints => Literal("validate constraints of"),
            Rule::analyze => Literal("analyze"),
            Rule::sql => Literal("sql on"),
            Rule::replicate => Literal("replicate"),
            Rule::run_command => Literal("run"),
            Rule::do_procedure => Literal("do"),

            Rule::target | Rule::columns_of_type => Literal("columns of type"),
            Rule::column_type | Rule::type_name => Kind("a type"),
            Rule::type_words | Rule::time_field => Silent,
            Rule::amount => Kind("a number"),
            Rule::time_zone | Rule::modifier | Rule::dimension => Silent,

            Rule::options => Literal("{"),
            Rule::entry | Rule::qualifier => Kind("the name of an option"),
            Rule::entry_end | Rule::line_end => Kind("the end of the line"),
            Rule::entry_value | Rule::item_value | Rule::list | Rule::pattern => Kind("a value"),

            Rule::using => Literal("using"),
            Rule::as_of => Literal("as of"),
            Rule::removal | Rule::by_policy => Literal("by its removal policy"),
            Rule::final_snapshot => Literal("with final snapshot"),
            Rule::without_final_snapshot => Literal("without final snapshot"),
            Rule::label => Literal("as"),
            Rule::otherwise => Literal("else"),
            Rule::because => Literal("because"),
            Rule::within => Literal("within"),
            Rule::every => Literal("every"),
            Rule::accepting_loss => Literal("accepting loss"),
            Rule::if_reachable => Literal("if reachable"),

            Rule::single_expression
            | Rule::expression
            | Rule::prefix
            | Rule::operand
            | Rule::group
            | Rule::latest_snapshot
            | Rule::oldest_snapshot
            | Rule::snapshot_named
            | Rule::checks_pass
            | Rule::no_drift
            | Rule::reference
            | Rule::time
            | Rule::duration
            | Rule::size
            | Rule::integer
            | Rule::malformed => Kind("a value"),
            Rule::operator => Kind("an operator"),
            Rule::arguments => Literal("("),
            Rule::quality | Rule::relation | Rule::kw_relation => Kind("what is said of it"),
            Rule::result_type => Literal("as"),

            Rule::name | Rule::path => Kind("a name"),
            Rule::text => Kind("a text in double quotes"),
            Rule::characters | Rule::long_characters | Rule::escape | Rule::interpolation => Silent,

            Rule::colon => Literal(":"),
            Rule::comma => Literal(","),
            Rule::assign => Literal("="),
            Rule::opening => Literal("("),
            Rule::closing => Literal(")"),
            Rule::closing_bracket => Literal("]"),
            Rule::closing_brace => Literal("}"),

            Rule::kw_runbook => Literal("runbook"),
            Rule::kw_param => Literal("param"),
            Rule::kw_let => Literal("let"),
            Rule::kw_require => Literal("require"),
            Rule::kw_step => Literal("step"),
            Rule::kw_restore => Literal("restore"),
            Rule::kw_from => Literal("from"),
            Rule::kw_of => Literal("of"),
            Rule::kw_to => Literal("to"),
            Rule::kw_keep => Literal("keep"),
            Rule::kw_because => Literal("because"),
            Rule::kw_await => Literal("await"),
            Rule::kw_within => Literal("within"),
            Rule::kw_every => Literal("every"),
            Rule::kw_assert => Literal("assert"),
            Rule::kw_else => Literal("else"),
            Rule::kw_approve => Literal("approve"),
            Rule::kw_note => Literal("note"),
            Rule::kw_snapshot => Literal("snapshot"),
            Rule::kw_where => Literal("where"),
            Rule::kw_parallel => Literal("parallel"),
            Rule::kw_if => Literal("if"),
            Rule::kw_as_of => Literal("as of"),
            Rule::kw_on_failure => Literal("on failure"),
            Rule::kw_set_credentials_of => Literal("set credentials of"),
            Rule::kw_switch_secret_of => Literal("switch secret of"),
            Rule::kw_freeze_writes_on => Literal("freeze writes on"),
            Rule::kw_thaw_writes_on => Literal("thaw writes on"),
            Rule::kw_latest_snapshot_of => Literal("latest snapshot of"),
            Rule::kw_oldest_snapshot_of => Literal("oldest snapshot of"),
            Rule::kw_checks_of => Literal("checks of"),
            Rule::kw_pass => Literal("pass"),
            Rule::kw_as => Literal("as"),
            Rule::kw_in => Literal("in"),
            Rule::kw_with => Literal("with"),
            Rule::kw_using => Literal("using"),
            Rule::kw_use => Literal("use"),
            Rule::kw_procedure => Literal("procedure"),
            Rule::kw_migrate => Literal("migrate"),
            Rule::kw_analyze => Literal("analyze"),
            Rule::kw_replicate => Literal("replicate"),
            Rule::kw_run => Literal("run"),
            Rule::kw_do => Literal("do"),
            Rule::kw_destroy => Literal("destroy"),
            Rule::kw_no_drift => Literal("no drift"),
            Rule::kw_keep_writes_frozen_on => Literal("keep writes frozen on"),
            Rule::kw_by_its_removal_policy => Literal("by its removal policy"),
            Rule::kw_with_final_snapshot => Literal("with final snapshot"),
            Rule::kw_without_final_snapshot => Literal("without final snapshot"),
            Rule::kw_columns_of_type => Literal("columns of type"),
            Rule::kw_recreate_schema => Literal("recreate schema"),
            Rule::kw_drop_index => Literal("drop index"),
            Rule::kw_drop_indexes_on => Literal("drop indexes on"),
            Rule::kw_restore_indexes_on => Literal("restore indexes on"),
            Rule::kw_alter_column => Literal("alter column"),
            Rule::kw_alter_columns_of_type => Literal("alter columns of type"),
            Rule::kw_restore_column_types_in => Literal("restore column types in"),
            Rule::kw_relax_not_null_on => Literal("relax not null on"),
            Rule::kw_restore_not_null_on => Literal("restore not null on"),
            Rule::kw_sync_sequences_of => Literal("sync sequences of"),
            Rule::kw_validate_constraints_of => Literal("validate constraints of"),
            Rule::kw_sql_on => Literal("sql on"),
        }
    }
}
