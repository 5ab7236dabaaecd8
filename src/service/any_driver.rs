//! A driver or a backend of one of the services.

use std::sync::Arc;

use super::any_op::ServiceKind;
use super::list::for_each_service;
use super::reachable::{LedgerOf, Reachable, ReplaySite, TrialSite};
use super::replayed::ReplayDriver;
use super::{Backend, BackendError, Backends, Store};
use crate::terms::Role;

macro_rules! any_driver {
    ($($(#[$at:meta])* $name:ident, $folder:ident::$service:ident, $client:ident() as $role:expr;)*) => {
        impl ServiceKind {
            /// A driver for replays, with connections of its own.
            pub(crate) fn driver(self, site: ReplaySite<'_>) -> Result<Box<dyn ReplayDriver>, BackendError> {
                match self { $($(#[$at])* ServiceKind::$name => <super::$folder::$service as Reachable>::driver(site)),* }
            }

            /// The backend of a trial, in this role.
            ///
            /// # Errors
            /// [`BackendError`] if the service cannot be had in this role.
            pub fn backend(
                self,
                backends: &Backends,
                role: Role,
                of: TrialSite<'_>,
            ) -> Result<Arc<dyn Backend>, BackendError> {
                match self {
                    $($(#[$at])* ServiceKind::$name => <super::$folder::$service as Reachable>::backend(backends, role, of)),*
                }
            }

            /// The same service as something that keeps effects, whose ledger can be read; nothing if it keeps none for the trial.
            ///
            /// # Errors
            /// [`BackendError`] if the service cannot be had in this role.
            pub fn store_in(
                self,
                backends: &Backends,
                role: Role,
                of: LedgerOf<'_>,
            ) -> Result<Option<Arc<dyn Store>>, BackendError> {
                match self {
                    $($(#[$at])* ServiceKind::$name => <super::$folder::$service as Reachable>::store(backends, role, of)),*
                }
            }
        }
    };
}
for_each_service!(any_driver);
