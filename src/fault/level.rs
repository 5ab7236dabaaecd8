//! Fault levels: how likely each fault is, per leg and per kind of operation, as an experiment states it.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::strategy::Hazards;
use crate::terms::{BackendFault, ByRole, FaultKind, Layer, Leg};
use crate::world::OpKind;

/// A probability, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize)]
pub struct Probability(f64);

impl Probability {
    /// A probability of this value, if it is one.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Probability(value))
    }

    /// Its value, from 0 to 1.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// Whether it never happens: what an experiment has not said is not written down either.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_zero(&self) -> bool {
        self.0 <= 0.0
    }
}

impl<'de> Deserialize<'de> for Probability {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Probability;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a probability from 0 to 1")
            }
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Probability, E> {
                Probability::new(value).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Float(value), &self))
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Probability, E> {
                #[expect(clippy::cast_precision_loss, reason = "only 0 and 1 are probabilities")]
                self.visit_f64(value as f64)
            }
        }
        from.deserialize_any(Visitor)
    }
}

/// Makes a set of probabilities: a field for each kind of fault. Whatever else asks for them asks by kind.
macro_rules! probabilities {
    ($(#[$doc:meta])* $of:ident { $($(#[$attribute:meta])* $field:ident: $kind:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $of { $($(#[$attribute])* pub $field: Probability),* }

        impl $of {
            /// The kinds of faults that it has probabilities for.
            #[cfg(test)]
            pub(crate) const KINDS: &[FaultKind] = &[$(FaultKind::$kind),*];

            /// Each of them, as likely as this.
            #[cfg(test)]
            pub(crate) fn all_at(probability: Probability) -> Self {
                $of { $($field: probability),* }
            }

            /// How likely this fault is. What happens to something else does not happen here.
            #[must_use]
            pub fn probability(&self, fault: FaultKind) -> Probability {
                let own = [$((FaultKind::$kind, self.$field)),*];
                own.into_iter().find(|(kind, _)| *kind == fault).map_or_else(Probability::default, |(_, its)| its)
            }

            /// The sum of those of which at most one happens. A delay comes on top.
            fn sum(&self) -> f64 {
                let own = [$((FaultKind::$kind, self.$field)),*];
                own.into_iter().filter(|(kind, _)| *kind != FaultKind::Delayed).map(|(_, its)| its.get()).sum()
            }
        }
    };
}

probabilities! {
    /// What can happen to a message on one leg. At most one of them does; a delay comes on top.
    MessageFaults {
        request_lost: RequestLost,
        reply_lost: ReplyLost,
        late_landing: LateLanding,
        duplicated: Duplicated,
        #[serde(skip_serializing_if = "Probability::is_zero")]
        other_body: OtherBody,
        delayed: Delayed,
    }
}

probabilities! {
    /// What can happen to a handler at each of its operations. At most one does.
    HandlerFaults {
        pause: Pause,
        cancel: Cancel,
        crash: Crash,
    }
}

impl MessageFaults {
    /// Whether none of them can happen.
    #[must_use]
    pub fn are_none(&self) -> bool {
        *self == MessageFaults::default()
    }
}

/// Other probabilities for some kinds of operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForOps {
    pub ops: Vec<OpName>,
    /// In place of the leg's own.
    #[serde(default)]
    pub message: Option<MessageFaults>,
    /// In place of the level's own.
    #[serde(default)]
    pub handler: Option<HandlerFaults>,
}

/// A kind of operation, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpName(pub OpKind);

impl<'de> Deserialize<'de> for OpName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        OpKind::from_name(&name).map(OpName).ok_or_else(|| {
            let names: Vec<&str> = OpKind::all().filter(|kind| kind.leg() != Leg::Client).map(OpKind::name).collect();
            let hint = crate::suggest::did_you_mean(crate::suggest::nearest(&name, names.iter().copied()));
            serde::de::Error::custom(format!("no operation is named '{name}'{hint}; there are: {}", names.join(", ")))
        })
    }
}

impl Serialize for OpName {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.name())
    }
}

/// A range of milliseconds, from and to, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Millis(pub u32, pub u32);

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (low, high) = <(u32, u32)>::deserialize(from)?;
        if low > high {
            return Err(serde::de::Error::custom(format!("[{low}, {high}] runs backwards: write [{high}, {low}]")));
        }
        Ok(Millis(low, high))
    }
}

impl Millis {
    /// The duration at this fraction of the range.
    #[must_use]
    pub fn at(self, fraction: f64) -> Duration {
        let span = f64::from(self.1 - self.0);
        Duration::from_secs_f64((f64::from(self.0) + span * fraction) / 1_000.0)
    }
}

/// When a reaper forgets the ids that strategies keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaperSettings {
    /// How long after a request has come first.
    pub after_ms: NonZeroU32,
}

/// What is wrong with a fault level.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidLevel {
    #[error(
        "`{key}.other_body` in '{level}': the body of a request is the client's; write `client = {{ other_body = … }}`"
    )]
    NoBody { level: String, key: &'static str },
    #[error("`pause_leases` is {0}: a pause lasts more than 0 and at most 1000 lives of a lease")]
    Pause(f64),
    #[error(
        "the probabilities of '{level}' for `{key}` add up to {sum}: at most one of them can happen to a message, so they may add up to 1 at the most"
    )]
    Sum { level: String, key: &'static str, sum: f64 },
}

/// How likely each fault is in a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    pub name: String,
    #[serde(default)]
    pub client: MessageFaults,
    #[serde(default)]
    pub store: MessageFaults,
    #[serde(default)]
    pub lock: MessageFaults,
    #[serde(default, skip_serializing_if = "MessageFaults::are_none")]
    pub second: MessageFaults,
    #[serde(default, skip_serializing_if = "MessageFaults::are_none")]
    pub peer: MessageFaults,
    #[serde(default, skip_serializing_if = "MessageFaults::are_none")]
    pub cache: MessageFaults,
    #[serde(default, skip_serializing_if = "MessageFaults::are_none")]
    pub broker: MessageFaults,
    #[serde(default)]
    pub handler: HandlerFaults,
    /// How long a delayed message takes longer.
    #[serde(default = "Level::default_delay")]
    pub delay_ms: Millis,
    /// How long after its time-out a late request lands.
    #[serde(default = "Level::default_late")]
    pub late_ms: Millis,
    /// How long a handler pauses, in lives of its lease.
    #[serde(default = "Level::default_pause")]
    pub pause_leases: f64,
    /// Exceptions by kind of operation; the last one that names a kind counts.
    #[serde(default, rename = "for")]
    pub for_ops: Vec<ForOps>,
    /// What is done to backends, and when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backend: Vec<BackendFault>,
    /// When the ids that strategies keep are forgotten; never, where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaper: Option<ReaperSettings>,
    /// On which layer messages to backends meet their faults.
    #[serde(default, rename = "where")]
    pub layer: Layer,
}

impl Level {
    fn default_delay() -> Millis {
        Millis(1, 20)
    }

    fn default_late() -> Millis {
        Millis(5, 20)
    }

    fn default_pause() -> f64 {
        1.5
    }

    /// The level at which nothing happens.
    #[must_use]
    pub fn none() -> Self {
        Level {
            name: "none".to_owned(),
            client: MessageFaults::default(),
            store: MessageFaults::default(),
            lock: MessageFaults::default(),
            second: MessageFaults::default(),
            peer: MessageFaults::default(),
            cache: MessageFaults::default(),
            broker: MessageFaults::default(),
            handler: HandlerFaults::default(),
            delay_ms: Self::default_delay(),
            late_ms: Self::default_late(),
            pause_leases: Self::default_pause(),
            for_ops: Vec::new(),
            backend: Vec::new(),
            reaper: None,
            layer: Layer::Port,
        }
    }

    /// What can happen to messages on a leg, but for exceptions.
    #[must_use]
    pub fn on(&self, leg: Leg) -> &MessageFaults {
        match leg {
            Leg::Client => &self.client,
            Leg::Service(role) => {
                let broker = &self.broker;
                ByRole([&self.store, &self.lock, &self.second, &self.peer, &self.cache, broker, &self.client])[role]
            }
        }
    }

    /// What can happen to a message of this kind of operation.
    #[must_use]
    pub fn message_faults(&self, op: OpKind) -> &MessageFaults {
        let exception = self.for_ops.iter().rev().find(|e| e.message.is_some() && e.ops.contains(&OpName(op)));
        exception.and_then(|e| e.message.as_ref()).unwrap_or_else(|| self.on(op.leg()))
    }

    /// What can happen to a handler at this kind of operation.
    #[must_use]
    pub fn handler_faults(&self, op: OpKind) -> &HandlerFaults {
        let exception = self.for_ops.iter().rev().find(|e| e.handler.is_some() && e.ops.contains(&OpName(op)));
        exception.and_then(|e| e.handler.as_ref()).unwrap_or(&self.handler)
    }

    /// How likely a fault is on a leg, at the kind of operation at which it is likeliest. A handler's own faults happen on every leg.
    #[must_use]
    pub fn likeliest(&self, fault: FaultKind, leg: Leg) -> Probability {
        let in_exception = |e: &ForOps| {
            let on_leg = e.message.filter(|_| e.ops.iter().any(|op| op.0.leg() == leg));
            [on_leg.map(|m| m.probability(fault)), e.handler.map(|h| h.probability(fault))].into_iter().flatten()
        };
        let own = [self.on(leg).probability(fault), self.handler.probability(fault)];
        let all = own.into_iter().chain(self.for_ops.iter().flat_map(in_exception));
        all.fold(Probability::default(), |most, one| if one > most { one } else { most })
    }

    /// Whether a fault can happen at all on a leg. A handler's own faults happen on every leg.
    #[must_use]
    pub fn can_happen(&self, fault: FaultKind, leg: Leg) -> bool {
        let backend = |b: &BackendFault| b.fault.kind() == fault && b.target.leg() == leg;
        self.likeliest(fault, leg).get() > 0.0 || self.backend.iter().any(backend)
    }

    /// What is wrong with this level beyond what its types exclude, if anything is.
    ///
    /// # Errors
    /// What it is, and how to mend it.
    pub fn check(&self) -> Result<(), InvalidLevel> {
        if !(self.pause_leases > 0.0 && self.pause_leases <= 1_000.0) {
            return Err(InvalidLevel::Pause(self.pause_leases));
        }
        let own = Leg::ALL.map(|leg| (leg.name(), self.on(leg)));
        let exceptions = self.for_ops.iter().filter_map(|e| e.message.as_ref()).map(|message| ("for.message", message));
        for (key, m) in own.into_iter().chain(exceptions) {
            let sum = m.sum();
            if sum > 1.0 {
                return Err(InvalidLevel::Sum { level: self.name.clone(), key, sum });
            }
            if m.other_body.get() > 0.0 && key != Leg::Client.name() {
                return Err(InvalidLevel::NoBody { level: self.name.clone(), key });
            }
        }
        let exceptions = self.for_ops.iter().filter_map(|e| e.handler.as_ref()).map(|handler| ("for.handler", handler));
        for (key, h) in std::iter::once(("handler", &self.handler)).chain(exceptions) {
            let sum = h.sum();
            if sum > 1.0 {
                return Err(InvalidLevel::Sum { level: self.name.clone(), key, sum });
            }
        }
        Ok(())
    }

    /// What happens to ids that a claim does not speak of.
    #[must_use]
    pub fn hazards(&self) -> Hazards {
        Hazards { reaps: self.reaper.is_some(), other_bodies: self.client.other_body.get() > 0.0 }
    }

    /// How long what is done to the backend on a leg can keep it from answering, at the longest.
    #[must_use]
    pub fn longest_outage(&self, leg: Leg) -> Duration {
        let lasting = self.backend.iter().filter(|fault| fault.target.leg() == leg).map(BackendFault::lasting);
        lasting.max().unwrap_or_default()
    }

    /// Whether any fault can happen.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        FaultKind::ALL.iter().any(|fault| Leg::ALL.iter().any(|leg| self.can_happen(*fault, *leg)))
    }
}
