//! What the author of a plugin does before an engine sees it: new, build, check, test, run, bench.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::Value;
use weft_core::contract::LogLevel;
use weft_core::limits::CALL_MS;
use weft_core::name::Name;
use weft_core::trace::StepTrace;
use weft_plugin_host::Version;
use weft_server::clock::Stopwatch;
use weft_workbench::build::{self, Tools};
use weft_workbench::{Fixture, Language, Project, Run, Stand};

use crate::print::{self, plain};

/// A busy machine is no fault of the plugin: what takes longer than an engine would allow is said, not stopped.
const CALL_MAX: Duration = Duration::from_secs(5);
/// How long a fixture is run for `bench`, unless it is told.
const BENCH_SECONDS: u64 = 2;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a new plugin's folder: it builds at once and passes its fixtures
    New {
        /// What it is called: a-z, 0-9, - and _
        name: Name,
        /// What it is written in
        #[arg(long, value_enum)]
        lang: Lang,
    },
    /// Build the component of a plugin's folder
    Build {
        /// The plugin's folder
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// Fetch the tools that are missing
        #[arg(long)]
        install: bool,
    },
    /// Say what a component is, and whether an engine would take it
    Check {
        /// A component, or a plugin's folder
        #[arg(default_value = ".")]
        path: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run a plugin on its fixtures and compare what comes with what is expected
    Test {
        /// The plugin's folder
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// Test the component as it was built last
        #[arg(long)]
        no_build: bool,
        /// Write down what comes as what is expected
        #[arg(long)]
        accept: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run a plugin on one fixture, or on a body of JSON, and print what comes of it
    Run {
        /// The fixture's file; - reads it from standard input
        fixture: PathBuf,
        /// A component, or a plugin's folder
        #[arg(long, default_value = ".")]
        component: PathBuf,
        /// The file is the body of an event of this type
        #[arg(long = "type", value_name = "TYPE")]
        event_type: Option<String>,
        /// The step's configuration, in the place of the fixture's
        #[arg(long, value_name = "JSON")]
        step_config: Option<String>,
    },
    /// Measure a plugin on its fixtures, a fresh instance for each call
    Bench {
        /// The plugin's folder
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// For how long each fixture is run
        #[arg(long, default_value_t = BENCH_SECONDS, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
    },
}

/// What plugins are written in, as the command line spells it.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Lang {
    Rust,
    Js,
    Ts,
    Python,
}

impl From<Lang> for Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::Rust => Self::Rust,
            Lang::Js => Self::JavaScript,
            Lang::Ts => Self::TypeScript,
            Lang::Python => Self::Python,
        }
    }
}

impl Verb {
    /// Does what was asked for; fails if a component or a fixture did.
    pub(super) fn run(self) -> Result<ExitCode> {
        match self {
            Self::New { name, lang } => new(&name, lang.into()),
            Self::Build { folder, install } => {
                let tools = if install { Tools::Installed } else { Tools::Found };
                let component = build::build(&Project::open(&folder)?, tools)?;
                check(&component, false)
            }
            Self::Check { path, json } => check(&path, json),
            Self::Test { folder, no_build, accept, json } => test(&folder, no_build, accept, json),
            Self::Run { fixture, component, event_type, step_config } => {
                run(&fixture, &component, event_type.as_deref(), step_config.as_deref())
            }
            Self::Bench { folder, seconds } => bench(&folder, Duration::from_secs(seconds)),
        }
    }
}

fn new(name: &Name, language: Language) -> Result<ExitCode> {
    let folder = weft_workbench::scaffold(Path::new("."), name, language)?;
    print::out(&format!(
        "{} is a plugin in {language} that builds and passes its fixtures. Go on with\n\n  cd {name}\n  \
         weft plugin build --install\n  weft plugin test\n",
        folder.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The component at `path`, or the one that the project there was built into.
fn component_at(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let component = Project::open(path)?.component();
    if !component.exists() {
        bail!("{} is not built yet: weft plugin build", path.display());
    }
    Ok(component)
}

fn load(stand: &Stand, component: &Path) -> Result<Version> {
    let bytes = fs::read(component).with_context(|| format!("could not read {}", component.display()))?;
    stand.load(&bytes).with_context(|| format!("{} would not be taken", component.display()))
}

/// What `check` finds.
#[derive(Debug, Serialize)]
struct Checked {
    component: String,
    digest: String,
    bytes: u64,
    roles: Vec<&'static str>,
    imports: Vec<String>,
    /// As the plugin describes itself.
    description: Option<Value>,
    compile_ms: u64,
}

fn check(path: &Path, json: bool) -> Result<ExitCode> {
    let component = component_at(path)?;
    let stand = Stand::new(CALL_MAX)?;
    let watch = Stopwatch::start();
    let version = load(&stand, &component)?;
    let description = version.description();
    let checked = Checked {
        component: component.display().to_string(),
        digest: version.digest().to_string(),
        bytes: version.bytes() as u64,
        roles: version.roles().iter().map(|role| role.as_str()).collect(),
        imports: version.imports(),
        description: description.map(|it| serde_json::from_str(it.text())).transpose()?,
        compile_ms: u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    if json {
        print::json(&checked)?;
        return Ok(ExitCode::SUCCESS);
    }
    let named = description.map_or_else(
        || "no description: nobody but the plugin checks its configuration".to_owned(),
        |it| format!("{} {}  {}", it.name(), plain(it.version()), plain(it.sentence())),
    );
    let Checked { component, digest, bytes, roles, imports, compile_ms, .. } = &checked;
    let imports = if imports.is_empty() { "nothing".to_owned() } else { imports.join(", ") };
    let compiled = print::duration(Duration::from_millis(*compile_ms));
    print::out(&format!(
        "{component}\n  {named}\n  roles    {}\n  size     {}, compiled in {compiled}\n  imports  {}\n  digest   {digest}\n",
        roles.join(", "),
        print::bytes(*bytes),
        plain(&imports)
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// How a fixture came out.
#[derive(Debug, Serialize)]
struct Tested {
    fixture: String,
    passed: bool,
    took_us: u64,
    memory_bytes: u64,
    outcome: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<Value>,
    #[serde(skip)]
    steps: Vec<StepTrace>,
}

fn test(folder: &Path, no_build: bool, accept: bool, json: bool) -> Result<ExitCode> {
    let project = Project::open(folder)?;
    if !no_build {
        build::build(&project, Tools::Found)?;
    }
    let stand = Stand::new(CALL_MAX)?;
    let version = load(&stand, &component_at(project.folder())?)?;
    let pairs = weft_workbench::pairs_in(&project.fixtures())?;
    if pairs.is_empty() {
        bail!("{} has no fixture: an event goes into NAME.json, its outcome into NAME.expected.json", folder.display());
    }
    let mut all = Vec::new();
    for pair in pairs {
        let run = run_fixture(&stand, &version, &pair.input, None, None)?;
        let expected = match fs::read_to_string(&pair.expected) {
            Ok(text) => Some(serde_json::from_str(&text).with_context(|| pair.expected.display().to_string())?),
            Err(_) => None,
        };
        let mut passed = expected.as_ref() == Some(&run.outcome);
        if accept && !passed {
            let text = format!("{:#}\n", run.outcome);
            fs::write(&pair.expected, text).with_context(|| format!("could not write {}", pair.expected.display()))?;
            passed = true;
        }
        let took_us = u64::try_from(run.took().as_micros()).unwrap_or(u64::MAX);
        let (memory_bytes, Run { outcome, steps }) = (run.memory_bytes(), run);
        let tested = Tested { fixture: pair.name, passed, took_us, memory_bytes, outcome, expected, steps };
        if !json {
            print::out(&told(&tested))?;
        }
        all.push(tested);
    }
    if json {
        print::json(&all)?;
    }
    let failed = all.iter().filter(|tested| !tested.passed).count();
    if !json {
        print::out(&format!("{} passed, {failed} failed\n", all.len() - failed))?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn told(tested: &Tested) -> String {
    let Tested { fixture, passed, took_us, memory_bytes, outcome, expected, steps } = tested;
    let word = if *passed { "ok  " } else { "FAIL" };
    let took = Duration::from_micros(*took_us);
    let mut text = format!("{word}  {fixture}  {}, {}\n", print::duration(took), print::bytes(*memory_bytes));
    if took > Duration::from_millis(CALL_MS.default) {
        text += &format!("      an engine stops a call after {} ms (call_ms_max)\n", CALL_MS.default);
    }
    if !passed {
        match expected {
            Some(expected) => {
                let difference = weft_workbench::difference(expected, outcome).unwrap_or_default();
                text.extend(difference.lines().map(|line| format!("      {}\n", plain(line))));
            }
            None => {
                text += "      nothing is expected of it yet; this came, and --accept writes it down\n";
                text.extend(format!("{outcome:#}").lines().map(|line| format!("      {}\n", plain(line))));
            }
        }
        text.extend(log_lines(steps).map(|line| format!("      {line}\n")));
    }
    text
}

fn log_lines(steps: &[StepTrace]) -> impl Iterator<Item = String> {
    let lines = steps.iter().flat_map(|step| &step.logs);
    lines.map(|line| {
        let level = match line.level {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        };
        format!("{level}: {}", plain(&line.message))
    })
}

fn run_fixture(
    stand: &Stand,
    version: &Version,
    file: &Path,
    event_type: Option<&str>,
    config: Option<&str>,
) -> Result<Run> {
    let shown = || file.display().to_string();
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("could not read from standard input")?;
        text
    } else {
        fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?
    };
    let mut fixture = match event_type {
        Some(event_type) => Fixture::of_body(event_type, text.trim()),
        None => Fixture::parse(&text),
    }
    .with_context(shown)?;
    if let Some(config) = config {
        fixture = fixture.configured(serde_json::from_str(config).context("--step-config is no JSON")?);
    }
    stand.run(version, &fixture).with_context(shown)
}

fn run(fixture: &Path, component: &Path, event_type: Option<&str>, config: Option<&str>) -> Result<ExitCode> {
    let stand = Stand::new(CALL_MAX)?;
    let version = load(&stand, &component_at(component)?)?;
    let run = run_fixture(&stand, &version, fixture, event_type, config)?;
    for line in log_lines(&run.steps) {
        print::say(&line);
    }
    print::say(&format!("in {} and {}", print::duration(run.took()), print::bytes(run.memory_bytes())));
    print::json(&run.outcome)?;
    Ok(ExitCode::SUCCESS)
}

fn bench(folder: &Path, time: Duration) -> Result<ExitCode> {
    let project = Project::open(folder)?;
    let stand = Stand::new(CALL_MAX)?;
    let version = load(&stand, &component_at(project.folder())?)?;
    let mut rows = Vec::new();
    for pair in weft_workbench::pairs_in(&project.fixtures())? {
        let mut took = Vec::new();
        let mut memory_bytes = 0;
        let watch = Stopwatch::start();
        while watch.elapsed() < time || took.is_empty() {
            let run = run_fixture(&stand, &version, &pair.input, None, None)?;
            took.push(run.took());
            memory_bytes = run.memory_bytes();
        }
        took.sort_unstable();
        let at = |part: usize| print::duration(took[(took.len() - 1) * part / 100]);
        let runs = print::grouped(took.len() as u64);
        rows.push([pair.name, runs, at(50), at(99), print::bytes(memory_bytes)]);
    }
    print::out(&print::table(["FIXTURE", "RUNS", "MEDIAN", "P99", "MEMORY"], rows))?;
    Ok(ExitCode::SUCCESS)
}
