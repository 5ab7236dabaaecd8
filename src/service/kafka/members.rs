//! The members of groups, by the numbers that the lab has for them: a broker gives each a long name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kafka_protocol::messages::GroupId;
use kafka_protocol::protocol::StrBytes;

use crate::service::contract::asked_id;
use crate::terms::MemberId;

/// A member, as the broker knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedMember {
    pub group: GroupId,
    pub name: StrBytes,
    /// The generation of the group that it has joined.
    pub generation: i32,
}

/// Those that the lab has heard of.
#[derive(Debug, Clone, Default)]
pub(super) struct NamedMembers(Arc<Mutex<HeardMembers>>);

#[derive(Debug, Default)]
struct HeardMembers {
    members: HashMap<i64, NamedMember>,
    last: u32,
}

/// No lane has this number: what bears it belongs to nobody who is at work.
const NO_LANE: u8 = u8::MAX;

impl NamedMembers {
    fn lock(&self) -> MutexGuard<'_, HeardMembers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A member that somebody has heard that he is: its number.
    pub fn add(&self, member: NamedMember) -> MemberId {
        let mut known = self.lock();
        known.last += 1;
        let number = known.last;
        known.members.insert(number.into(), member);
        MemberId(number)
    }

    /// The number of a member that the broker names; a new one, which is nobody's, if whoever joined has not heard of it.
    pub fn number_of(&self, group: &GroupId, name: &StrBytes) -> i64 {
        let mut known = self.lock();
        let is_it = |member: &NamedMember| member.group == *group && member.name == *name;
        if let Some((number, _)) = known.members.iter().find(|(_, member)| is_it(member)) {
            return *number;
        }
        known.last += 1;
        let number = asked_id(NO_LANE, 0, 0) + (i64::from(known.last) << 32);
        let (group, name) = (group.clone(), name.clone());
        known.members.insert(number, NamedMember { group, name, generation: 0 });
        number
    }

    /// The member with a number.
    pub fn get(&self, number: i64) -> Option<NamedMember> {
        self.lock().members.get(&number).cloned()
    }

    /// Those who had numbers are members of nothing any more.
    pub fn clear(&self) {
        self.lock().members.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::contract::asker_of;

    #[test]
    fn a_member_has_one_number_and_one_that_nobody_has_heard_of_has_no_lane() {
        let members = NamedMembers::default();
        let group = GroupId(StrBytes::from_static_str("g"));
        let name = StrBytes::from_static_str;
        let heard = NamedMember { group: group.clone(), name: name("a"), generation: 3 };
        let MemberId(number) = members.add(heard.clone());
        assert_eq!(members.number_of(&group, &name("a")), i64::from(number));
        assert_eq!(members.get(number.into()), Some(heard));
        let ghost = members.number_of(&group, &name("b"));
        assert_eq!((members.number_of(&group, &name("b")), asker_of(ghost).0), (ghost, NO_LANE));
        assert_ne!(members.number_of(&GroupId(name("h")), &name("a")), i64::from(number));
        members.clear();
        assert_eq!(members.get(number.into()), None);
    }
}
