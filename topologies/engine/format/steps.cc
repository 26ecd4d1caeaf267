#include <algorithm>
#include <charconv>
#include <limits>

#include "topologies/engine/format/keys.h"
#include "topologies/engine/format/pattern.h"
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

constexpr MapReader::Range kCount{0, 1'000'000'000};
constexpr MapReader::Range kExit{0, 255};
constexpr Milliseconds kShortestTry{2000};
constexpr std::size_t kMaxCommandBytes = 64 * 1024;

bool is_variable(std::string_view name) {
  return is_name(name) && name.find('.') == std::string_view::npos;  // dotted ones are built in
}

std::optional<double> number(const MapReader& map, std::string_view key) {
  const auto text = map.text(key);
  if (!text) return std::nullopt;
  double value = 0;
  const auto [stop, ec] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (ec == std::errc() && stop == text->data() + text->size()) return value;
  map.error(key, "must be a number, not \"" + text->substr(0, 40) + "\"");
  return std::nullopt;
}

// `.nodes.0.name` as RFC 6901 has it: `/nodes/0/name`.
std::string json_pointer(const std::string& text) {
  if (text.empty() || text.front() == '/') return text;
  if (text == ".") return "";
  std::string out = text.front() == '.' ? text : "." + text;
  std::ranges::replace(out, '.', '/');
  return out;
}

class StepReader {
 public:
  StepReader(std::size_t index, const YamlNode& node, Diagnostics& diagnostics)
      : path_("steps[" + std::to_string(index) + "]"),
        map_(node, path_, keys::kStep, diagnostics),
        diagnostics_(diagnostics) {}

  Step read() {
    Step step;
    step.mark = map_.mark();
    step.name = map_.text("name").value_or("");
    read_action(step);
    if (const YamlNode* expect = map_.find("expect")) step.expect = read_expectation(*expect);
    read_eventually(step);
    read_captures(step);
    check_combination(step);
    return step;
  }

 private:
  void read_action(Step& step) {
    std::vector<std::string_view> found;
    for (std::string_view key : keys::kStepActions) {
      if (map_.find(key)) found.push_back(key);
    }
    if (found.size() != 1) {
      diagnostics_.error(map_.mark(), path_,
                         found.empty() ? "says nothing to do; add run, stop, await, pause, faults, "
                                         "or a fault such as kill, start, cut, mend or partition"
                                       : "does two things, " + std::string(found[0]) + " and " +
                                             std::string(found[1]) + "; make them two steps");
      return;
    }
    const std::string_view key = found.front();
    if (key == "run") step.action = read_run();
    if (key == "stop") step.action = StopAction{.background = background_name("stop")};
    if (key == "await") {
      AwaitAction await{.background = background_name("await")};
      if (const auto timeout = map_.duration("timeout")) await.timeout = *timeout;
      step.action = await;
    }
    if (key == "kill") step.action = KillAction{map_.texts(key)};
    if (key == "start") step.action = StartAction{map_.texts(key)};
    if (key == "kill-daemon") step.action = KillDaemonAction{map_.texts(key)};
    if (key == "restart-daemon") step.action = RestartDaemonAction{map_.texts(key)};
    if (key == "pause") step.action = PauseAction{map_.duration(key).value_or(Milliseconds{0})};
    if (key == "faults") step.action = read_timeline();
    if (std::ranges::find(keys::kStepFaults, key) != keys::kStepFaults.end()) read_fault(step, key);
  }

  // Faults that a step makes have the names they have in `faults`, but for `freeze` (`pause` lets
  // time pass) and `fill-disk`, which has a counterpart.
  void read_fault(Step& step, std::string_view key) {
    using What = MendAction::What;
    if (key == "mend") step.action = MendAction{What::cut, names("mend")};
    if (key == "thaw") step.action = MendAction{What::freeze, names("thaw")};
    if (key == "free-disk") step.action = MendAction{What::disk, names("free-disk")};
    if (key == "heal") {
      if (map_.flag("heal") != true) map_.error("heal", "must be true");
      step.action = MendAction{What::partition, {}};
    }
    const std::string_view action = key == "freeze"      ? "pause"
                                    : key == "fill-disk" ? "disk-full"
                                                         : key;
    if (std::ranges::find(keys::kFaultActions, action) == keys::kFaultActions.end()) return;
    auto [fault, on] = read_fault_action(map_, key, action, diagnostics_);
    step.action = FaultStep{std::move(fault), std::move(on)};
  }

  std::vector<std::string> names(std::string_view key) {
    std::vector<std::string> out = map_.texts(key);
    if (out.empty()) map_.error(key, "names nobody");
    return out;
  }

  TimelineAction read_timeline() {
    static constexpr auto kWhat = std::to_array<std::string_view>({"start", "await", "run"});
    const std::string what = map_.text("faults").value_or("");
    if (what == "start") return {TimelineAction::What::start};
    if (what == "await") return {TimelineAction::What::await};
    if (what != "run")
      map_.error("faults", "must be start, await or run" + suggestion(what, kWhat));
    return {TimelineAction::What::run};
  }

  std::string background_name(std::string_view key) {
    const std::string name = map_.text(key).value_or("");
    if (!is_name(name)) map_.error(key, "must be the name of a background process");
    return name;
  }

  RunAction read_run() {
    RunAction run;
    run.on = map_.texts("on");
    if (run.on.empty())
      diagnostics_.error(map_.mark(), path_ + ".on", "missing: name the host or node to run on");
    const YamlNode& command = *map_.find("run");
    if (command.kind == YamlNode::Kind::list) {
      run.command = map_.texts("run");
      for (const std::string& word : run.command)
        run.shown += (run.shown.empty() ? "" : " ") + word;
    } else if (const auto line = map_.text("run")) {
      run.command = {"/bin/sh", "-ec", *line};
      run.shown = line->substr(0, line->find_last_not_of(" \n") + 1);
    }
    if (run.shown.empty()) map_.error("run", "is empty");
    if (run.shown.size() > kMaxCommandBytes) map_.error("run", "is longer than 64 KiB");
    if (run.shown.find('\0') != std::string::npos) map_.error("run", "holds a zero byte");
    if (map_.find("background")) run.background = background_name("background");
    if (const auto timeout = map_.duration("timeout")) run.timeout = *timeout;
    return run;
  }

  std::optional<std::string> pattern(const MapReader& map, std::string_view key) {
    const auto text = map.text(key);
    if (!text) return std::nullopt;
    // A pattern with variables is compiled when they are known.
    if (text->find("${") == std::string::npos) {
      if (const auto compiled = Pattern::compile(*text); !compiled)
        map.error(key, compiled.error().text());
    }
    return text;
  }

  std::vector<std::string> contained(const YamlNode& node, const std::string& path) {
    if (node.kind == YamlNode::Kind::scalar) return {node.scalar};
    std::vector<std::string> out;
    for (const YamlNode& item : node.items) {
      if (item.kind == YamlNode::Kind::scalar) {
        out.push_back(item.scalar);
      } else {
        diagnostics_.error(item.mark, path, "each item must be text");
      }
    }
    return out;
  }

  TextClaim read_text(const YamlNode& node, const std::string& path) {
    TextClaim claim;
    if (node.kind == YamlNode::Kind::scalar || node.kind == YamlNode::Kind::list) {
      claim.contains = contained(node, path);  // short for `contains`
      return claim;
    }
    const MapReader map(node, path, keys::kText, diagnostics_);
    claim.contains = map.texts("contains");
    claim.lacks = map.texts("lacks");
    claim.equals = map.text("equals");
    claim.matches = pattern(map, "matches");
    claim.lines = map.integer("lines", kCount);
    return claim;
  }

  JsonClaim read_json(const YamlNode::Entry& entry, const std::string& path) {
    JsonClaim claim;
    claim.pointer = json_pointer(entry.key);
    const YamlNode& value = entry.value;
    if (value.kind == YamlNode::Kind::scalar || value.kind == YamlNode::Kind::null) {
      claim.equals = value.kind == YamlNode::Kind::null ? "null" : value.scalar;
      return claim;
    }
    const MapReader map(value, path, keys::kJson, diagnostics_);
    claim.equals = map.text("equals");
    claim.at_least = number(map, "at-least");
    claim.at_most = number(map, "at-most");
    return claim;
  }

  Expectation read_expectation(const YamlNode& node) {
    const std::string path = path_ + ".expect";
    const MapReader map(node, path, keys::kExpect, diagnostics_);
    Expectation expect;
    if (map.text("exit") == "any") {
      expect.any_exit = true;
    } else {
      expect.exit = map.integer("exit", kExit).value_or(0);
    }
    if (const YamlNode* out = map.find("stdout")) expect.out = read_text(*out, path + ".stdout");
    if (const YamlNode* err = map.find("stderr")) expect.err = read_text(*err, path + ".stderr");
    if (const YamlNode* json = map.find("json")) {
      if (json->kind != YamlNode::Kind::map)
        map.error("json", "must be a map of paths, such as .lost: 0");
      for (const YamlNode::Entry& entry : json->entries)
        expect.json.push_back(read_json(entry, path + ".json." + entry.key.substr(0, 60)));
    }
    expect.at_most = map.duration("at-most");
    return expect;
  }

  void read_eventually(Step& step) {
    step.eventually = map_.duration("eventually");
    auto* run = std::get_if<RunAction>(&step.action);
    // A try that hangs must not outlast what it is a try of.
    if (step.eventually && run && !map_.find("timeout"))
      run->timeout = std::max(*step.eventually, kShortestTry);
    if (const auto every = map_.duration("every")) {
      step.every = std::max(*every, Milliseconds{10});
      if (!step.eventually)
        map_.error("every", "says how often `eventually` tries; add eventually");
    }
  }

  void read_captures(Step& step) {
    const YamlNode* captures = map_.find("capture");
    if (!captures) return;
    if (captures->kind == YamlNode::Kind::scalar) {
      add_capture(step, captures->scalar, "");
      return;
    }
    for (const auto& [variable, text] : map_.text_map("capture")) add_capture(step, variable, text);
  }

  void add_capture(Step& step, const std::string& variable, const std::string& text) {
    if (!is_variable(variable))
      map_.error("capture", "\"" + variable.substr(0, 60) +
                                "\" is no variable name: letters, digits, - "
                                "and _");
    if (!text.empty()) {
      if (const auto compiled = Pattern::compile(text); !compiled)
        map_.error("capture", variable + ": " + compiled.error().text());
    }
    step.captures.push_back({variable, text});
  }

  void check_combination(const Step& step) {
    const auto* run = std::get_if<RunAction>(&step.action);
    const bool gives_output = (run && run->background.empty()) ||
                              std::holds_alternative<StopAction>(step.action) ||
                              std::holds_alternative<AwaitAction>(step.action);
    if (!run) {
      for (std::string_view key : {"on", "background"}) {
        if (map_.find(key)) map_.error(key, "only goes with run");
      }
    }
    if (!gives_output) {
      for (std::string_view key : {"expect", "capture"}) {
        if (map_.find(key))
          map_.error(key, "this step has no output yet; expect at its stop or await");
      }
    }
    if (step.eventually && !(run && run->background.empty()))
      map_.error("eventually", "only goes with run in the foreground");
    if (run && run->on.size() > 1 && !(step.captures.empty() && run->background.empty()))
      map_.error("on", "capture and background go with one place only");
  }

  std::string path_;
  MapReader map_;
  Diagnostics& diagnostics_;
};

}  // namespace

void read_steps(const YamlNode& steps, Lab& lab, Diagnostics& diagnostics) {
  if (steps.kind != YamlNode::Kind::list) {
    diagnostics.error(steps.mark, "steps", "must be a list");
    return;
  }
  for (std::size_t i = 0; i < steps.items.size(); ++i)
    lab.steps.push_back(StepReader(i, steps.items[i], diagnostics).read());
}

}  // namespace heddle::format
