#include "common/engine/api.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

namespace heddle::engine {
namespace {

namespace json = boost::json;

constexpr ApiVersion kOldest{1, 24};
constexpr ApiVersion kNewest{1, 52};
constexpr std::size_t kMaxMessage = 300;
constexpr std::size_t kMaxDepth = 32;

}  // namespace

std::optional<ApiVersion> parse_version(std::string_view text) {
  ApiVersion version;
  const char* const end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, version.major);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
  if (minor.ec != std::errc() || minor.ptr != end) return std::nullopt;
  if (version.major < 0 || version.minor < 0) return std::nullopt;
  return version;
}

std::string parse_message(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  options.allow_invalid_utf8 = true;
  boost::system::error_code ec;
  const json::value value =
      json::parse(json::string_view(text.data(), text.size()), ec, {}, options);
  if (ec || !value.is_object()) return "";
  const json::value* message = value.as_object().if_contains("message");
  if (message == nullptr || !message->is_string()) return "";
  std::string said(message->as_string().data(), std::min(message->as_string().size(), kMaxMessage));
  std::ranges::replace_if(said, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }, ' ');
  while (said.ends_with(' ')) said.pop_back();
  return said;
}

Error Api::complain(Error error) const {
  const std::string where = place_.name + " at " + place_.socket;
  switch (error.code()) {
    case Errc::unavailable:
      return Error(error.code(),
                   where + " does not answer (" + error.text() + "); " + place_.start);
    case Errc::denied:
      return Error(error.code(), where + ": " + error.text() + "; " + place_.rights);
    case Errc::internal:
      return Error(error.code(),
                   where + " answers what Heddle does not understand: " + error.text());
    case Errc::timeout:
      return Error(error.code(), where + " does not answer in time; " + place_.look);
    default:
      return std::move(error).during(where);
  }
}

Error Api::refused(const Answer& answer) const {
  const std::string said = parse_message(answer.body);
  return Error(Errc::internal, place_.name + " at " + place_.socket + " refuses (status " +
                                   std::to_string(answer.status) + ")" +
                                   (said.empty() ? "" : ": " + said));
}

void Api::forget_version() {
  const std::lock_guard lock(mutex_);
  version_.reset();
}

// `/v1.41`, what requests begin with.
Result<std::string> Api::version(Deadline deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (version_) return "/v" + version_->format();
  }
  auto answer = exchange({place_.socket, "/_ping", interrupt_}, deadline);
  if (!answer) return std::unexpected(complain(std::move(answer).error()));
  if (answer->status != 200) return std::unexpected(refused(*answer));
  const auto theirs = parse_version(answer->api_version);
  if (!theirs) {
    return std::unexpected(
        complain(Error(Errc::internal,
                       "no version of its API ('" + answer->api_version + "'); is it an engine?")));
  }
  if (*theirs < kOldest) {
    return fail(Errc::unsupported, place_.name + " at " + place_.socket + " speaks version " +
                                       theirs->format() + " of its API, Heddle " +
                                       kOldest.format() + " and newer; upgrade it");
  }
  const std::lock_guard lock(mutex_);
  version_ = std::min(*theirs, kNewest);
  return "/v" + version_->format();
}

Result<Answer> Api::ask(const char* method, const std::string& path, const std::string& body,
                        Deadline deadline) {
  TRY(const std::string base, version(deadline));
  const Request request{.socket = place_.socket,
                        .target = base + path,
                        .interrupt = interrupt_,
                        .method = method,
                        .body = body};
  auto answer = exchange(request, deadline);
  if (!answer) {
    forget_version();
    return std::unexpected(complain(std::move(answer).error()));
  }
  // Another engine answers there than the one that the version was agreed on with.
  if (answer->status == 400) forget_version();
  return answer;
}

Result<std::unique_ptr<LineStream>> Api::stream(const std::string& path, Deadline deadline) {
  TRY(const std::string base, version(deadline));
  auto stream = LineStream::open({place_.socket, base + path, interrupt_}, deadline);
  if (!stream) forget_version();
  if (!stream) return std::unexpected(complain(std::move(stream).error()));
  return stream;
}

}  // namespace heddle::engine
