#include "netd/engine/client.h"

#include <algorithm>

namespace heddle::engine {
namespace {

// {"type":["container"]}
constexpr std::string_view kOnlyContainers = "%7B%22type%22%3A%5B%22container%22%5D%7D";

Place place_of(const Engine& engine) {
  return {.name = engine.name(),
          .socket = engine.socket,
          .start = "start it: systemctl enable --now " + engine.command() +
                   ".socket, or name its socket: heddled --" + engine.command() + "-socket PATH",
          .look = "look at: systemctl status " + engine.command(),
          .rights = "heddled must be root"};
}

}  // namespace

Client::Client(Engine engine, int interrupt)
    : engine_(std::move(engine)), api_(place_of(engine_), interrupt) {}

Result<Container> Client::inspect(std::string_view container, Deadline deadline) {
  if (!is_reference(container)) {
    return fail(Errc::invalid, "'" + engine_.reference(container.substr(0, 80)) +
                                   "' is no name or id of a container; give " +
                                   engine_.reference("NAME|ID"));
  }
  TRY(const Answer answer, api_.get("/containers/" + std::string(container) + "/json", deadline));
  if (answer.status != 200) return explain_refusal(container, answer, deadline);
  auto parsed = parse_container(answer.body);
  if (!parsed) return std::unexpected(complain(std::move(parsed).error()));
  return parsed;
}

// Engines differ in how they say that the start of an id fits several.
Result<Container> Client::explain_refusal(std::string_view container, const Answer& answer,
                                          Deadline deadline) {
  TRY(const auto all, list(deadline));
  const auto fitting = std::ranges::count_if(
      all, [&](const Listed& listed) { return listed.id.starts_with(container); });
  if (fitting > 1) {
    return fail(Errc::conflict, std::to_string(fitting) +
                                    " containers have an id that starts with '" +
                                    std::string(container) + "'; give more digits");
  }
  if (answer.status != 404) return std::unexpected(api_.refused(answer));
  return fail(Errc::not_found, engine_.name() + " has no container '" + std::string(container) +
                                   "'; see " + engine_.command() + " ps -a");
}

Result<std::vector<Listed>> Client::list(Deadline deadline) {
  TRY(const Answer answer, api_.get("/containers/json?all=1", deadline));
  if (answer.status != 200) return std::unexpected(api_.refused(answer));
  auto parsed = parse_list(answer.body);
  if (!parsed) return std::unexpected(complain(std::move(parsed).error()));
  return parsed;
}

Result<std::unique_ptr<LineStream>> Client::events(const std::string& since, Deadline deadline) {
  std::string path = "/events?filters=" + std::string(kOnlyContainers);
  if (!since.empty()) path += "&since=" + since;
  return api_.stream(path, deadline);
}

}  // namespace heddle::engine
