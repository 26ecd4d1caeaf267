#include "topologies/engine/container/engine.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "topologies/engine/container/spec.h"

namespace heddle::container {
namespace {

using namespace std::chrono_literals;

constexpr const char* kDocker = "/var/run/docker.sock";
constexpr const char* kPodman = "/run/podman/podman.sock";
constexpr std::string_view kUnix = "unix://";

constexpr auto kAsk = 30s;
constexpr auto kChange = 120s;  // a busy machine's engine takes its time
constexpr auto kPull = 900s;
constexpr auto kLook = 20ms;

std::string path_of(const std::string& name, const std::string& rest) {
  return "/containers/" + percent_encode(name) + rest;
}

// What can be shown of what a program printed to its terminal.
std::string printable(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n' || c < 0 || (c >= ' ' && c != 0x7f)) out += c;
  }
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

bool is_fine(int status) {
  return status >= 200 && status < 300;
}

}  // namespace

Result<std::string> find_socket(const format::Environment& environment) {
  const auto found = environment.find("DOCKER_HOST");
  if (found != environment.end() && !found->second.empty()) {
    if (found->second.starts_with(kUnix)) return found->second.substr(kUnix.size());
    return fail(Errc::unsupported,
                "DOCKER_HOST is " + found->second.substr(0, 200) +
                    ": a lab's containers are this machine's, of an engine on a unix socket; set "
                    "DOCKER_HOST=unix:///PATH, or unset it");
  }
  const bool only_podman = ::access(kDocker, F_OK) != 0 && ::access(kPodman, F_OK) == 0;
  return std::string(only_podman ? kPodman : kDocker);
}

Engine::Engine(std::string socket)
    : socket_(socket),
      api_({.name = "the container engine",
            .socket = std::move(socket),
            .start = "start it (systemctl start docker, or podman.socket), or name its socket: "
                     "DOCKER_HOST=unix:///PATH",
            .look = "look at its log: journalctl -u docker",
            .rights = "labs need root"},
           -1) {}

Result<> Engine::need() {
  const auto answer = api_.get("/version", after(kAsk));
  if (answer) return {};
  const Error& error = answer.error();
  const bool absent = error.code() == Errc::unavailable || error.code() == Errc::denied;
  return fail(absent ? Errc::unsupported : error.code(),
              "nodes with `runtime: docker` need Docker or Podman: " + error.text());
}

Result<bool> Engine::ensure_image(const format::Container& container) {
  using Pull = format::Container::Pull;
  const std::string image = with_tag(container.image);
  if (container.pull != Pull::always) {
    TRY(const auto there, api_.get("/images/" + image + "/json", after(kAsk)));
    if (is_fine(there.status)) return false;
    if (there.status != 404) return std::unexpected(api_.refused(there).during("image " + image));
    if (container.pull == Pull::never)
      return fail(Errc::not_found,
                  "image " + image + " is not on this machine, and image-pull-policy is Never");
  }
  TRY(const auto pulled,
      api_.post("/images/create?fromImage=" + percent_encode(image), "", after(kPull)));
  if (!is_fine(pulled.status)) return std::unexpected(api_.refused(pulled).during("pull " + image));
  if (const auto why = parse_pull_error(pulled.body))
    return fail(Errc::not_found, "pull " + image + ": " + *why);
  return true;
}

Result<std::vector<std::string>> Engine::create(const plan::Member& member,
                                                const plan::LabPaths& paths,
                                                const std::string& directory) {
  const std::string path = "/containers/create?name=" + percent_encode(member.container);
  const std::string spec = format_spec(member, paths, directory);
  TRY(auto answer, api_.post(path, spec, after(kChange)));
  if (answer.status == 409) {
    TRY_DO(remove_foreign_state(member.container, paths));
    TRY(answer, api_.post(path, spec, after(kChange)));
  }
  if (!is_fine(answer.status))
    return std::unexpected(api_.refused(answer).during("create container " + member.container));
  auto created = parse_created(answer.body);
  if (!created) return std::unexpected(api_.complain(std::move(created).error()));
  return std::move(created->warnings);
}

// Of a lab that was there before the machine was started again.
Result<> Engine::remove_foreign_state(const std::string& name, const plan::LabPaths& paths) {
  TRY(const State there, inspect(name));
  if (there.owner != paths.run_dir())
    return fail(Errc::exists, "a container " + name +
                                  " is there that is not this lab's; remove it: docker rm -f " +
                                  name);
  return remove(name);
}

Result<State> Engine::inspect(const std::string& name) {
  TRY(const auto answer, api_.get(path_of(name, "/json"), after(kAsk)));
  if (answer.status == 404)
    return fail(Errc::not_found, "container " + name + " is not there any more");
  if (!is_fine(answer.status)) return std::unexpected(api_.refused(answer).during(name));
  auto state = parse_state(answer.body);
  if (!state) return std::unexpected(api_.complain(std::move(state).error()));
  return state;
}

Result<> Engine::change(const std::string& name, const std::string& verb) {
  TRY(const auto answer, api_.post(path_of(name, "/" + verb), "", after(kChange)));
  // 304: it is so already.
  if (is_fine(answer.status) || answer.status == 304) return {};
  return std::unexpected(api_.refused(answer).during(verb + " container " + name));
}

std::string Engine::last_words(const std::string& name) {
  const auto answer = api_.get(path_of(name, "/logs?stdout=1&stderr=1&tail=10"), after(kAsk));
  const std::string text = answer && is_fine(answer->status) ? printable(answer->body) : "";
  return text.empty() ? "; it printed nothing" : "; it printed:\n" + text;
}

Result<State> Engine::start(const std::string& name) {
  TRY_DO(change(name, "start"));
  TRY(State state, inspect(name));
  if (state.running) return state;
  return std::unexpected(ended_at_once(name, state));
}

Error Engine::ended_at_once(const std::string& name, const State& state) {
  return Error(Errc::unavailable, "container " + name + " ended, with status " +
                                      std::to_string(state.exit_status) + last_words(name));
}

Result<> Engine::wait_ended(const std::string& name, Deadline deadline) {
  for (;;) {
    TRY(const State state, inspect(name));
    if (!state.running) return {};
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(Errc::timeout, "container " + name + " does not end");
    std::this_thread::sleep_for(kLook);
  }
}

Result<> Engine::kill(const std::string& name) {
  TRY(const State state, inspect(name));
  if (!state.running) return {};
  if (state.paused) TRY_DO(unpause(name));  // engines kill nothing that stands still
  const Deadline deadline = after(kChange);
  TRY(const auto answer, api_.post(path_of(name, "/kill?signal=KILL"), "", deadline));
  // 409: it has ended meanwhile.
  if (!is_fine(answer.status) && answer.status != 409)
    return std::unexpected(api_.refused(answer).during("kill container " + name));
  return wait_ended(name, deadline);
}

Result<> Engine::pause(const std::string& name) {
  return change(name, "pause");
}
Result<> Engine::unpause(const std::string& name) {
  return change(name, "unpause");
}

Result<> Engine::remove(const std::string& name) {
  const Deadline deadline = after(kChange);
  for (;;) {
    TRY(const auto answer, api_.remove(path_of(name, "?force=1&v=1"), deadline));
    if (is_fine(answer.status) || answer.status == 404) return {};
    // 409: somebody removes it just now.
    if (answer.status != 409 || std::chrono::steady_clock::now() >= deadline)
      return std::unexpected(api_.refused(answer).during("remove container " + name));
    std::this_thread::sleep_for(kLook);
  }
}

Result<std::vector<Listed>> Engine::list(const std::string& run_dir) {
  const std::string filter = R"({"label":[")" + std::string(kRunLabel) + "=" + run_dir + R"("]})";
  TRY(const auto answer,
      api_.get("/containers/json?all=1&filters=" + percent_encode(filter), after(kAsk)));
  if (!is_fine(answer.status)) return std::unexpected(api_.refused(answer).during("list"));
  auto listed = parse_list(answer.body);
  if (!listed) return std::unexpected(api_.complain(std::move(listed).error()));
  return listed;
}

}  // namespace heddle::container
