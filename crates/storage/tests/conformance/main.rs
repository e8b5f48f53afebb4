//! What every storage driver must do: one suite for all of them, against the public interface of
//! the crate. `docs/testing.md` says how to run it, also in a virtual machine.
//!
//! A scenario is a function of a [`site::Site`], which makes pools of one driver. Each runs in a
//! mount namespace of its own, and fails when anything is left on the host afterwards.

mod child;
mod commands;
mod drivers;
mod host;
mod scenarios;
mod site;
mod tree;

/// The one list of scenarios: a test of each for a driver.
macro_rules! scenarios {
    ($driver:ident) => {
        scenarios! { $driver;
            pools {
                one_is_made_used_and_removed
                each_source_works
                wrong_sources_leave_nothing
                two_are_apart
                a_loop_file_grows
                one_whose_disk_is_gone_comes_back
            }
            images {
                many_ask_and_one_fills
                a_failed_one_leaves_nothing
                one_that_is_used_can_go_and_come_back
            }
            containers {
                one_has_what_its_image_has
                empty_ones_have_a_rootfs
                odd_names_stay_apart
            }
            snapshots {
                one_keeps_what_was_there
                one_of_a_volume_in_use
                names_are_odd_and_change
                one_is_made_of_something_else
            }
            restores {
                the_newest
                an_older_one_keeps_the_newer
                one_that_is_taken_back
                of_a_copied_snapshot
            }
            copies {
                one_lives_without_its_source
                with_all_snapshots
                of_copies_go_in_any_order
                at_the_same_time
            }
            renames {
                with_snapshots
                of_what_others_are_made_of
            }
            sizes {
                a_limit_holds
                up_and_down
                a_full_volume_can_be_managed
                too_small_is_refused
            }
            custom {
                a_life
                snapshots_and_copies
                the_longest_names
            }
            drafts {
                finished_and_discarded
                with_snapshots
                forgotten_ones_go
            }
            transfers {
                to_and_from_every_driver
                with_snapshots
                of_custom_volumes
            }
            full {
                the_error_names_the_pool
            }
            crashes {
                while_an_image_is_made
                while_a_container_is_made
                while_a_snapshot_is_taken
                while_a_copy_is_made
                while_one_is_renamed
                while_one_is_restored
                while_one_is_removed
                while_one_is_resized
                while_one_comes_from_another_pool
                while_a_pool_is_removed
                while_a_future_is_dropped
            }
            twice {
                everything_twice_in_a_row
            }
        }
    };
    ($driver:ident; $($part:ident { $($name:ident)+ })+) => {
        $(mod $part {
            $(#[test]
            fn $name() {
                let path = concat!(module_path!(), "::", stringify!($name));
                let scenario: crate::host::Scenario = |site| Box::pin(crate::scenarios::$part::$name(site));
                crate::host::run(&crate::drivers::$driver, path, scenario);
            })+
        })+
    };
}

/// A module for each driver.
macro_rules! drivers {
    ($($module:ident => $driver:ident,)+) => {
        /// All drivers, each as it is asked for with different keys or on different ground.
        pub(crate) const DRIVERS: &[&drivers::Driver] = &[$(&drivers::$driver),+];
        $(mod $module {
            scenarios!($driver);
        })+
    };
}

// The one list of drivers.
drivers! {
    dir => DIR,
    dir_ext4 => DIR_EXT4,
    dir_xfs => DIR_XFS,
    btrfs => BTRFS,
    lvm_thin => LVM_THIN,
    lvm_thick => LVM_THICK,
    zfs => ZFS,
    ceph => CEPH,
}
