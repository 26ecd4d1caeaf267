#include "netd/engine/client.h"

#include <algorithm>

namespace heddle::engine {
namespace {

constexpr ApiVersion kOldest{1, 24};
constexpr ApiVersion kNewest{1, 52};
// {"type":["container"]}
constexpr std::string_view kOnlyContainers = "%7B%22type%22%3A%5B%22container%22%5D%7D";

}  // namespace

Error Client::complain(Error error) const {
  const std::string place = engine_.name() + " at " + engine_.socket;
  switch (error.code()) {
    case Errc::unavailable:
      return Error(error.code(), place + " does not answer (" + error.text() +
                                     "); start it: systemctl enable --now " + engine_.command() +
                                     ".socket, or name its socket: heddled --" + engine_.command() +
                                     "-socket PATH");
    case Errc::denied:
      return Error(error.code(), place + ": " + error.text() + "; heddled must be root");
    case Errc::internal:
      return Error(error.code(),
                   place + " answers what Heddle does not understand: " + error.text());
    case Errc::timeout:
      return Error(error.code(), place + " does not answer in time; look at: systemctl status " +
                                     engine_.command());
    default:
      return std::move(error).during(place);
  }
}

Error Client::refused(const Answer& answer) const {
  const std::string said = parse_message(answer.body);
  return Error(Errc::internal, engine_.name() + " at " + engine_.socket + " refuses (status " +
                                   std::to_string(answer.status) + ")" +
                                   (said.empty() ? "" : ": " + said));
}

void Client::forget_version() {
  const std::lock_guard lock(mutex_);
  version_.reset();
}

// `/v1.41`, what requests begin with.
Result<std::string> Client::version(Deadline deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (version_) return "/v" + version_->format();
  }
  auto answer = get({engine_.socket, "/_ping", interrupt_}, deadline);
  if (!answer) return std::unexpected(complain(std::move(answer).error()));
  if (answer->status != 200) return std::unexpected(refused(*answer));
  const auto theirs = parse_version(answer->api_version);
  if (!theirs) {
    return std::unexpected(
        complain(Error(Errc::internal,
                       "no version of its API ('" + answer->api_version + "'); is it an engine?")));
  }
  if (*theirs < kOldest) {
    return fail(Errc::unsupported, engine_.name() + " at " + engine_.socket + " speaks version " +
                                       theirs->format() + " of its API, Heddle " +
                                       kOldest.format() + " and newer; upgrade it");
  }
  const std::lock_guard lock(mutex_);
  version_ = std::min(*theirs, kNewest);
  return "/v" + version_->format();
}

Result<Answer> Client::ask(const std::string& path, Deadline deadline) {
  TRY(const std::string base, version(deadline));
  auto answer = get({engine_.socket, base + path, interrupt_}, deadline);
  if (!answer) {
    forget_version();
    return std::unexpected(complain(std::move(answer).error()));
  }
  // Another engine answers there than the one that the version was agreed on with.
  if (answer->status == 400) forget_version();
  return answer;
}

Result<Container> Client::inspect(std::string_view container, Deadline deadline) {
  if (!is_reference(container)) {
    return fail(Errc::invalid, "'" + engine_.reference(container.substr(0, 80)) +
                                   "' is no name or id of a container; give " +
                                   engine_.reference("NAME|ID"));
  }
  TRY(const Answer answer, ask("/containers/" + std::string(container) + "/json", deadline));
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
  if (answer.status != 404) return std::unexpected(refused(answer));
  return fail(Errc::not_found, engine_.name() + " has no container '" + std::string(container) +
                                   "'; see " + engine_.command() + " ps -a");
}

Result<std::vector<Listed>> Client::list(Deadline deadline) {
  TRY(const Answer answer, ask("/containers/json?all=1", deadline));
  if (answer.status != 200) return std::unexpected(refused(answer));
  auto parsed = parse_list(answer.body);
  if (!parsed) return std::unexpected(complain(std::move(parsed).error()));
  return parsed;
}

Result<std::unique_ptr<LineStream>> Client::events(const std::string& since, Deadline deadline) {
  TRY(const std::string base, version(deadline));
  std::string target = base + "/events?filters=" + std::string(kOnlyContainers);
  if (!since.empty()) target += "&since=" + since;
  auto stream = LineStream::open({engine_.socket, target, interrupt_}, deadline);
  if (!stream) forget_version();
  if (!stream) return std::unexpected(complain(std::move(stream).error()));
  return stream;
}

}  // namespace heddle::engine
