#include "ctl/cmd/completion.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>

#include "ctl/cmd/lab_words.h"
#include "ctl/cmd/program.h"

namespace heddle::cmd {
namespace {

constexpr const char* kBash = R"(# bash completion for heddle
_heddle() {
  local line=${COMP_LINE:0:COMP_POINT} words=() word rest last
  # Where nothing stands between two of bash's words, as around : and =, they are one of ours.
  for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
    rest=${line#"${line%%[![:space:]]*}"}
    if [[ ${#words[@]} -eq 0 || $rest != "$line" ]]; then words+=(""); fi
    words[-1]+=$word
    line=${rest#"$word"}
  done
  last=${words[-1]}
  mapfile -t COMPREPLY < <(heddle __complete "${words[@]:1}" 2>/dev/null)
  # It replaces what comes after the last of them.
  COMPREPLY=("${COMPREPLY[@]#"${last%"${last##*[:=]}"}"}")
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
}
complete -o default -F _heddle heddle
)";

constexpr const char* kZsh = R"(#compdef heddle
# zsh completion for heddle
_heddle() {
  local -a candidates
  candidates=("${(@f)$(heddle __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "${candidates[1]}" ]]; then compadd -a candidates; else _files; fi
}
if [[ "${funcstack[1]}" == _heddle ]]; then _heddle "$@"; else compdef _heddle heddle; fi
)";

constexpr const char* kFish = R"(# fish completion for heddle
complete -c heddle -f -a '(heddle __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
)";

using Words = std::vector<std::string>;

template <class T, class Name>
Words names_of(const Result<std::vector<T>>& listed, Name name) {
  Words words;
  if (!listed) return words;  // completion is silent about a daemon that is not there
  for (const auto& object : *listed) words.push_back(name(object));
  return words;
}

// What may stand where the table says `type`.
Words values_of(const std::string& type, Context& context) {
  if (type == "FORMAT") return {"table", "json"};
  if (type == "POLICY") return {"no", "on-failure", "always"};
  if (type == "ROLE") return {"worker", "manager"};
  if (type == "SCOPE") return {"local", "swarm"};
  if (type == "DRIVER") return {"bridge", "overlay", "macvlan", "ipvlan", "host", "none"};
  if (type == "SHELL") return {"bash", "zsh", "fish"};
  if (type != "NETWORK" && type != "WORKLOAD" && type != "SERVICE" && type != "NODE" &&
      type != "BALANCER") {
    return {};
  }
  context.timeout_seconds = 1;
  const auto daemon = context.daemon();
  if (!daemon) return {};
  const Deadline deadline = context.deadline();
  if (type == "NETWORK") {
    return names_of((*daemon)->list_networks({}, deadline), [](const auto& n) { return n.name; });
  }
  if (type == "WORKLOAD") {
    return names_of((*daemon)->list_workloads(deadline), [](const auto& w) { return w.name; });
  }
  if (type == "SERVICE") {
    return names_of((*daemon)->list_services(deadline),
                    [](const auto& s) { return s.service.name; });
  }
  if (type == "NODE") {
    return names_of((*daemon)->list_nodes(deadline), [](const auto& n) { return n.node.name; });
  }
  return names_of((*daemon)->list_load_balancers(deadline),
                  [](const auto& b) { return b.load_balancer.name; });
}

Words with_prefix(const std::string& prefix, const Words& values) {
  Words words;
  for (const auto& value : values) words.push_back(prefix + value);
  return words;
}

// Of `network ls` and `network prune`: keys, and values where they are known.
Words filters_of(const CLI::App* app, const std::string& typed, Context& context) {
  if (app->get_name() == "prune") return {"label!=", "label=", "until="};
  const std::string key = typed.substr(0, typed.find('='));
  if (key == typed) return {"dangling=", "driver=", "id=", "label=", "name=", "scope="};
  if (key == "dangling") return with_prefix("dangling=", {"true", "false"});
  if (key == "driver") return with_prefix("driver=", values_of("DRIVER", context));
  if (key == "scope") return with_prefix("scope=", values_of("SCOPE", context));
  if (key == "name") return with_prefix("name=", values_of("NETWORK", context));
  return {};
}

struct Position {
  const CLI::App* app;
  const CLI::Option* pending = nullptr;  // a flag whose value comes next
  std::size_t positionals = 0;           // seen so far
  LabTyped lab{};
};

const CLI::App* child(const CLI::App* app, const std::string& name) {
  const auto subs =
      app->get_subcommands([&](const CLI::App* sub) { return sub->get_name() == name; });
  return subs.empty() ? nullptr : subs.front();
}

Position walk(const CLI::App* root, const Words& words, Context& context) {
  Position at{.app = root};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const auto& word = words[i];
    if (at.pending != nullptr) {
      if (at.pending->check_name("--socket")) context.socket = word;
      if (at.pending->check_name("--lab-dir")) at.lab.lab_dir = word;
      if (at.pending->check_name("--name")) at.lab.name = word;
      at.pending = nullptr;
    } else if (word.starts_with("-")) {
      const auto* option = at.app->get_option_no_throw(word.substr(0, word.find('=')));
      const bool takes = option != nullptr && option->get_expected_max() > 0;
      if (takes && word.find('=') == std::string::npos) at.pending = option;
    } else if (const auto* sub = child(at.app, word)) {
      at.app = sub;
    } else {
      ++at.positionals;
    }
  }
  return at;
}

Words flags_of(const CLI::App* app) {
  Words words;
  for (const auto* option : app->get_options()) {
    for (const auto& name : option->get_lnames()) words.push_back("--" + name);
  }
  return words;
}

std::string group_of(const CLI::App* app) {
  return app->get_parent() == nullptr ? "" : app->get_parent()->get_name();
}

Words flag_values(const Position& at, const CLI::Option& flag, const std::string& typed,
                  Context& context) {
  const std::string type = flag.get_type_name();
  if (type == "FILTER") return filters_of(at.app, typed, context);
  // A lab that is there; `generate` gives a name to one that is not.
  if (type == "LAB" && group_of(at.app) == "lab") return lab_words(type, at.lab);
  if (type == "KIND") return {"linux", "bridge"};
  return values_of(type, context);
}

// Where a workload may be one that heddled does not know yet.
Words connectable(Context& context) {
  Words words = values_of("WORKLOAD", context);
  const auto daemon = context.daemon();
  if (!daemon) return words;
  if (const auto containers = (*daemon)->list_containers(context.deadline())) {
    words.insert(words.end(), containers->begin(), containers->end());
  }
  return words;
}

Words positional_values(const Position& at, Context& context) {
  std::size_t seen = 0;
  for (const auto* option : at.app->get_options()) {
    if (!option->get_positional()) continue;
    const bool many = option->get_expected_max() > 1;
    if (seen++ == at.positionals || many) {
      const std::string name = option->get_name(true);
      const std::string command = at.app->get_name();
      const std::string group = group_of(at.app);
      if (group == "network" && command == "connect" && name == "WORKLOAD") {
        return connectable(context);
      }
      if (group == "lab") {
        return name == "NODE" || name == "LINK" ? lab_words(name, at.lab) : Words{};
      }
      const bool balancer = group == "lb" && command != "create" && name == "NAME";
      return values_of(balancer ? "BALANCER" : name, context);
    }
  }
  return {};
}

}  // namespace

Result<std::string> completion_script(const std::string& shell) {
  if (shell == "bash") return std::string(kBash);
  if (shell == "zsh") return std::string(kZsh);
  if (shell == "fish") return std::string(kFish);
  return fail(Errc::invalid, "SHELL '" + shell + "' is unknown; choose bash, zsh or fish");
}

std::string complete(const std::vector<std::string>& words, Context& context) {
  if (words.empty() || std::ranges::find(words, "--") != words.end()) return "";
  const auto program = make_program(context);
  const Position at = walk(program.get(), words, context);
  const std::string& last = words.back();
  Words candidates;
  const auto equals = last.find('=');
  if (at.pending != nullptr) {
    candidates = flag_values(at, *at.pending, last, context);
  } else if (last.starts_with("--") && equals != std::string::npos) {
    const auto* option = at.app->get_option_no_throw(last.substr(0, equals));
    if (option == nullptr) return "";
    candidates = with_prefix(last.substr(0, equals + 1),
                             flag_values(at, *option, last.substr(equals + 1), context));
  } else if (last.starts_with("-")) {
    candidates = flags_of(at.app);
  } else {
    for (const auto* sub : at.app->get_subcommands([](const CLI::App*) { return true; })) {
      candidates.push_back(sub->get_name());
    }
    if (candidates.empty()) candidates = positional_values(at, context);
  }
  std::ranges::sort(candidates);
  std::string lines;
  for (const auto& candidate : candidates) {
    if (candidate.starts_with(last)) lines += candidate + "\n";
  }
  return lines;
}

}  // namespace heddle::cmd
