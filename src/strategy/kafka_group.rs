//! kafka-group: a consumer of a group with generations does the work, and says afterwards how far it has come, as the group's member.

use super::{BETWEEN_EFFECT_AND_MARK, Break, Claim, GIVING_UP, Need, RECORDED, Strategy};
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, Role, Shape, StoreKind, Violation};
use crate::world::World;

pub(super) struct KafkaGroup;

#[async_trait::async_trait]
impl Strategy for KafkaGroup {
    fn name(&self) -> &'static str {
        "kafka-group"
    }

    fn steps(&self) -> &'static str {
        "[JoinGroup] [SyncGroup] [fetch the offset]; if the record lies behind it: [create X] [commit the offset as a member]; [LeaveGroup]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "at least one effect, and one consumer at a time while no session runs out",
            retries: Retries::UntilAcknowledged,
            rules_out: &const {
                Violation::all_but::<{ Violation::ALL.len() - 3 }>(&[
                    Violation::Duplicate,
                    Violation::Lost,
                    Violation::Overlap,
                ])
            },
            tolerates: &[],
            breaks: &[
                Break {
                    faults: BETWEEN_EFFECT_AND_MARK,
                    legs: &[Leg::STORE, Leg::Service(Role::BROKER)],
                    shows: &[Violation::Duplicate],
                    because: "X is done, and the offset is not committed: the record is given to the next member",
                },
                Break {
                    faults: GIVING_UP,
                    legs: &[Leg::STORE],
                    shows: &[Violation::Lost],
                    because: "the consumer gave a record up and went on: the later offset covers the earlier record",
                },
                Break {
                    faults: &[FaultKind::Pause],
                    legs: &[Leg::Client, Leg::STORE],
                    shows: &[Violation::Overlap, Violation::Duplicate],
                    because: "the session of the member has run out, and another one has joined: its commit is refused, not its effect",
                },
            ],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::BROKER]
    }

    fn shape(&self) -> Shape {
        Shape::Entry
    }

    fn has_timers(&self) -> bool {
        true
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let membership = world.broker().enter_group(request.client).await?;
        if world.broker().is_done(request).await? {
            world.broker().leave_group(membership).await?;
            return Ok(RECORDED);
        }
        let answer = world.store().create(request).await?;
        let committed = world.broker().commit_offset_as(request, membership).await;
        // The session of a member that has not left runs out by itself.
        let _ = world.broker().leave_group(membership).await;
        committed.map(|()| answer)
    }
}
