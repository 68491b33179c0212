//! The list of tests, and how it is run.
//!
//! Unlike the built-in harness it can leave a test out with a reason that is only known at run time, and it ends the shared servers
//! when the last test is done.

use std::collections::BTreeMap;
use std::future::Future;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Completion, Trial};

use crate::environment;
use crate::stack::Stack;
use crate::tools::Tool;

/// Each test starts several processes.
const THREADS: usize = 2;

/// The tests, and the servers that they share.
#[derive(Default)]
pub struct Suite {
    trials: Vec<Trial>,
    stack: Arc<Stack>,
    left_out: Arc<LeftOut>,
}

/// How many tests were left out for which reason.
#[derive(Default)]
struct LeftOut(Mutex<BTreeMap<String, usize>>);

impl Suite {
    /// Adds a test. It is left out when one of its tools is missing.
    pub fn test(&mut self, name: &str, needs: impl IntoIterator<Item = Tool>, run: impl FnOnce(&Stack) + Send + 'static) {
        let needs: Vec<Tool> = needs.into_iter().collect();
        let stack = Arc::clone(&self.stack);
        let left_out = Arc::clone(&self.left_out);
        self.trials.push(Trial::ignorable_test(name, move || {
            if let Some(reason) = needs.iter().find_map(|tool| tool.check().err()).map(|missing| missing.to_string()) {
                if environment::require_all_tools() {
                    return Err(reason.into());
                }
                left_out.add(&reason);
                return Ok(Completion::ignored_with(reason));
            }
            run(&stack);
            Ok(Completion::Completed)
        }));
    }

    /// Adds an asynchronous test; it gets a runtime of its own.
    ///
    /// # Panics
    /// In the test, when the runtime cannot be started.
    pub fn test_async<F: Future<Output = ()>>(
        &mut self,
        name: &str,
        needs: impl IntoIterator<Item = Tool>,
        run: impl FnOnce(Arc<Stack>) -> F + Send + 'static,
    ) {
        let stack = Arc::clone(&self.stack);
        self.test(name, needs, move |_| {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            runtime.worker_threads(THREADS).enable_all().build().expect("a runtime must start").block_on(run(stack));
        });
    }

    /// Runs what the command line selects, ends the servers, and says what was left out.
    pub fn run(self) -> ExitCode {
        let mut arguments = Arguments::from_args();
        arguments.test_threads.get_or_insert(THREADS);
        let conclusion = libtest_mimic::run(&arguments, self.trials);
        // The last owner: the tests are done, and with them theirs.
        drop(self.stack);
        self.left_out.print();
        conclusion.exit_code()
    }
}

impl LeftOut {
    fn add(&self, reason: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(reason.to_owned()).or_default() += 1;
    }

    fn print(&self) {
        for (reason, tests) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            println!("{tests} test(s) not run: {reason}");
        }
    }
}
