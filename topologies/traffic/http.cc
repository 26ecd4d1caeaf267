#include "topologies/traffic/http.h"

#include <algorithm>
#include <charconv>

namespace heddle::traffic {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  });
  return out;
}

std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

bool parse_number(std::string_view text, int base, std::uint64_t& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return ec == std::errc() && end == text.data() + text.size() && out < (1ULL << 40);
}

}  // namespace

Result<HttpUrl> parse_http_url(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme))
    return fail(Errc::invalid, "\"" + url + "\" must be http://HOST[:PORT]/PATH");
  HttpUrl out;
  const std::size_t slash = std::min(url.find('/', kScheme.size()), url.size());
  out.authority = url.substr(kScheme.size(), slash - kScheme.size());
  if (slash < url.size()) out.path = url.substr(slash);
  const std::size_t colon = out.authority.rfind(':');
  out.host = out.authority.substr(0, colon);
  std::uint64_t port = 80;
  const bool good =
      colon == std::string::npos || parse_number(out.authority.substr(colon + 1), 10, port);
  if (!good || port == 0 || port > 65535 || out.host.empty())
    return fail(Errc::invalid, "\"" + url + "\" must be http://HOST[:PORT]/PATH");
  for (const char c : url) {
    if (static_cast<unsigned char>(c) <= ' ') return fail(Errc::invalid, "a URL holds no blanks");
  }
  out.port = static_cast<std::uint16_t>(port);
  return out;
}

bool ResponseParser::fail_with(std::string problem) {
  problem_ = std::move(problem);
  state_ = State::failed;
  return false;
}

void ResponseParser::keep(std::string_view bytes) {
  if (body_start_.size() < kept_) body_start_ += bytes.substr(0, kept_ - body_start_.size());
}

std::string ResponseParser::first_line() const {
  return std::string(trim(std::string_view(body_start_).substr(0, body_start_.find('\n'))));
}

bool ResponseParser::feed(std::string_view bytes) {
  while (!bytes.empty() && state_ != State::done) {
    if (state_ == State::failed) return false;
    if (state_ == State::body || state_ == State::chunk || state_ == State::until_close) {
      const std::size_t take =
          state_ == State::until_close
              ? bytes.size()
              : static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
      keep(bytes.substr(0, take));
      bytes.remove_prefix(take);
      if (state_ == State::until_close) continue;
      left_ -= take;
      if (left_ == 0) state_ = state_ == State::body ? State::done : State::chunk_end;
      continue;
    }
    head_ += bytes.front();
    bytes.remove_prefix(1);
    if (head_.size() > kMaxHead) return fail_with("head larger than 64 KiB");
    if (state_ == State::head) {
      if (head_.ends_with("\r\n\r\n") && !take_head()) return false;
    } else if (head_.ends_with("\n")) {
      if (!take_line()) return false;
    }
  }
  if (!bytes.empty()) return fail_with("bytes after the answer");
  return true;
}

bool ResponseParser::take_head() {
  const std::string head = std::move(head_);
  head_.clear();
  std::uint64_t status = 0;
  if (!head.starts_with("HTTP/1.") || head.size() < 14 ||
      !parse_number(head.substr(9, 3), 10, status))
    return fail_with("no status line");
  status_ = static_cast<int>(status);
  if (status_ >= 100 && status_ < 200) return true;  // the final head follows
  closes_ = head[7] == '0';
  if (!take_fields(std::string_view(head).substr(head.find('\n') + 1))) return false;
  if (chunked_) {
    state_ = State::chunk_size;
  } else if (status_ == 204 || status_ == 304 || (has_length_ && left_ == 0)) {
    state_ = State::done;
  } else if (has_length_) {
    state_ = State::body;
  } else {
    state_ = State::until_close;
    closes_ = true;
  }
  return true;
}

bool ResponseParser::take_fields(std::string_view fields) {
  while (!fields.empty()) {
    const std::size_t end = std::min(fields.find('\n'), fields.size() - 1);
    const std::string_view line = fields.substr(0, end);
    fields.remove_prefix(end + 1);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string name = lower(line.substr(0, colon));
    const std::string value = lower(trim(line.substr(colon + 1)));
    if (name == "content-length") {
      if (!parse_number(value, 10, left_)) return fail_with("bad Content-Length");
      has_length_ = true;
    }
    if (name == "transfer-encoding") chunked_ = value == "chunked";
    if (name == "connection" && value.find("close") != std::string::npos) closes_ = true;
  }
  return true;
}

// One line of the chunked coding (RFC 9112, section 7.1).
bool ResponseParser::take_line() {
  const std::string line(trim(std::string_view(head_).substr(0, head_.size() - 1)));
  head_.clear();
  switch (state_) {
    case State::chunk_size:
      if (!parse_number(line.substr(0, line.find(';')), 16, left_))
        return fail_with("bad chunk size");
      state_ = left_ ? State::chunk : State::trailer;
      return true;
    case State::chunk_end:
      if (!line.empty()) return fail_with("chunk longer than its size");
      state_ = State::chunk_size;
      return true;
    default:  // trailer
      if (line.empty()) state_ = State::done;
      return true;
  }
}

bool ResponseParser::finish_at_close() {
  if (state_ != State::until_close) return state_ == State::done;
  state_ = State::done;
  return true;
}

}  // namespace heddle::traffic
