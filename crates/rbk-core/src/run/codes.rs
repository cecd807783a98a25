//! The numbers of everything that can go wrong while running.

use rbk_syntax::Code;

/// Every failure's and refusal's number and title, in the order of the numbers.
pub const CODES: &[(Code, &str)] = &[
    (Code("RBK4001"), "the credentials are of another account"),
    (Code("RBK4002"), "the clients are set to another region"),
    (Code("RBK4003"), "a precondition does not hold"),
    (Code("RBK4004"), "the instance to be created exists already"),
    (Code("RBK4005"), "there is no such secret"),
    (Code("RBK4006"), "a secret can't be used"),
    (Code("RBK4007"), "there is no such snapshot"),
    (Code("RBK4008"), "a database isn't as its lock file says"),
    (
        Code("RBK4009"),
        "something outside of a schema would go with it",
    ),
    (Code("RBK4010"), "an assertion does not hold"),
    (Code("RBK4011"), "a deadline passed"),
    (
        Code("RBK4012"),
        "an instance is in a state that no waiting mends",
    ),
    (Code("RBK4013"), "an instance is gone"),
    (Code("RBK4014"), "somebody else made the instance meanwhile"),
    (Code("RBK4015"), "an instance isn't as it was asked for"),
    (Code("RBK4016"), "a secret was moved by somebody else"),
    (Code("RBK4017"), "a person said no"),
    (Code("RBK4018"), "a new version of a secret proves nothing"),
    (Code("RBK4019"), "a value can't be computed"),
    (Code("RBK4020"), "what was accepted has no effect"),
    (Code("RBK4021"), "the run was aborted"),
    (Code("RBK4022"), "a person decided that it failed"),
    (Code("RBK4023"), "an index isn't as the lock file says"),
    (Code("RBK4024"), "a foreign key does not hold"),
    (Code("RBK4025"), "a command failed"),
    (
        Code("RBK4026"),
        "somebody else holds the migration tool's lock",
    ),
    (Code("RBK4027"), "a lock in the database wasn't given"),
    (Code("RBK4030"), "a call failed"),
    (Code("RBK4031"), "access was denied"),
    (
        Code("RBK4032"),
        "the credentials are expired, missing or invalid",
    ),
    (Code("RBK4033"), "something can't be reached"),
    (Code("RBK4034"), "too many requests"),
    (Code("RBK4035"), "a certificate isn't trusted"),
    (Code("RBK4036"), "a login was refused"),
    (Code("RBK4037"), "a quota or capacity is exhausted"),
    (Code("RBK4038"), "a statement failed in the database"),
    (Code("RBK4040"), "nobody could be asked for an approval"),
    (Code("RBK4041"), "stopped by a person"),
    (Code("RBK4042"), "the journal can't be written"),
    (Code("RBK4043"), "a migration failed"),
    (Code("RBK4050"), "an outcome could not be decided"),
    (Code("RBK4051"), "there is no such replication subnet group"),
    (Code("RBK4052"), "a name that the run needs at DMS is taken"),
    (Code("RBK4053"), "DMS refused"),
    (Code("RBK4054"), "a replication failed"),
    (Code("RBK4055"), "a replication stopped before its end"),
    (Code("RBK4056"), "what a replication consists of is gone"),
    (Code("RBK4057"), "a replication did not load a table"),
    (Code("RBK4058"), "DMS says nothing of a table"),
    (Code("RBK4059"), "what DMS knew of each table is gone"),
    (Code("RBK4060"), "somebody else holds the lock"),
    (Code("RBK4070"), "the journal is damaged"),
    (Code("RBK4071"), "the journal or plan is of a newer rbk"),
    (
        Code("RBK4072"),
        "the stored plan isn't the one that was begun",
    ),
    (Code("RBK4073"), "the plan can't be stored"),
    (Code("RBK4074"), "there is no such run"),
    (Code("RBK4075"), "the run did nothing"),
    (Code("RBK4076"), "the run is over"),
    (Code("RBK4077"), "a person must decide first"),
    (Code("RBK4078"), "there is nothing to decide"),
    (Code("RBK4079"), "there is nothing to extend"),
    (
        Code("RBK4080"),
        "a replication loaded what it wasn't meant to",
    ),
    (Code("RBK4081"), "source and target hold other rows"),
    (Code("RBK4082"), "an instance was replaced by a namesake"),
    (
        Code("RBK4083"),
        "an application's active database isn't destroyed",
    ),
    (Code("RBK4084"), "a protected instance isn't destroyed"),
    (Code("RBK4085"), "the final snapshot's name is taken"),
    (Code("RBK4086"), "a final snapshot is missing"),
    (Code("RBK4087"), "writes aren't frozen"),
    (Code("RBK4088"), "the stack isn't what was deployed"),
    (Code("RBK4089"), "the stack must be deployed"),
    (Code("RBK4090"), "a bug in rbk"),
    (Code("RBK4091"), "an instance keeps no automated backups"),
    (
        Code("RBK4092"),
        "an instance can't be restored to any instant yet",
    ),
    (
        Code("RBK4093"),
        "an instance can't be restored to that instant",
    ),
    (Code("RBK4094"), "a snapshot's name is taken"),
    (Code("RBK4095"), "a snapshot failed"),
    (Code("RBK4096"), "a parameter has no value"),
    (Code("RBK4105"), "the file is no saved plan"),
    (Code("RBK4106"), "the saved plan is of a newer rbk"),
    (Code("RBK4107"), "the saved plan isn't whole"),
    (Code("RBK4108"), "the saved plan was changed by hand"),
    (Code("RBK4109"), "the saved plan is of another rbk"),
    (
        Code("RBK4110"),
        "what a saved plan was made from has changed",
    ),
    (
        Code("RBK4111"),
        "what a saved plan was made from isn't here",
    ),
    (Code("RBK4112"), "the saved plan was used"),
    (Code("RBK4114"), "a value that a hole doesn't take"),
    (Code("RBK4115"), "a value for what is no hole"),
    (Code("RBK4116"), "a subnet or parameter group is missing"),
    (Code("RBK4117"), "a role is missing"),
    (Code("RBK4118"), "a transaction has been open for long"),
];

#[cfg(test)]
mod tests {
    use super::CODES;

    /// The numbers that a source file gives.
    fn given(source: &str) -> Vec<String> {
        let mut numbers: Vec<String> = source
            .match_indices("\"RBK4")
            .filter_map(|(at, _)| source.get(at + 1..at + 8))
            .map(str::to_owned)
            .collect();
        numbers.sort();
        numbers.dedup();
        numbers
    }

    #[test]
    fn every_number_that_is_given_is_registered_and_the_other_way_round() {
        let source = [
            include_str!("failure.rs"),
            include_str!("failure/replication.rs"),
            include_str!("failure/removal.rs"),
            include_str!("failure/backup.rs"),
            include_str!("ending.rs"),
            include_str!("online/finding.rs"),
            include_str!("../plan/bind.rs"),
            include_str!("../plan/saved/error.rs"),
        ]
        .concat();
        let registered: Vec<&str> = CODES.iter().map(|(code, _)| code.0).collect();
        assert_eq!(registered, given(&source));
    }
}
