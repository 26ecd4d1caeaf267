#include "proxy/http/body_decoder.h"

#include <algorithm>

#include "proxy/http/syntax.h"

namespace heddle::http {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

BodyDecoder::BodyDecoder(Framing framing, const Limits& limits) : limits_(limits) {
  switch (framing.kind) {
    case BodyKind::none:
      state_ = State::done;
      break;
    case BodyKind::length:
      state_ = framing.length ? State::length : State::done;
      remaining_ = framing.length;
      break;
    case BodyKind::chunked:
      state_ = State::size;
      break;
    case BodyKind::until_close:
      state_ = State::until_close;
      break;
  }
}

bool BodyDecoder::finish_at_close() {
  if (state_ == State::until_close) state_ = State::done;
  return state_ == State::done;
}

std::expected<BodyDecoder::Piece, Refusal> BodyDecoder::next(std::string_view in) {
  switch (state_) {
    case State::done:
      return Piece{0, {}};
    case State::until_close:
      return Piece{in.size(), in};
    case State::length: {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, in.size()));
      remaining_ -= n;
      if (remaining_ == 0) state_ = State::done;
      return Piece{n, in.substr(0, n)};
    }
    default:
      return next_chunked(in);
  }
}

void BodyDecoder::begin_chunk() {
  digits_ = 0;
  remaining_ = 0;
  state_ = State::size;
}

bool BodyDecoder::step_size(char c) {
  const int digit = hex_value(c);
  if (digit >= 0) {
    // 15 digits: cannot overflow, and no honest sender pads further.
    if (++digits_ > 15) return false;
    remaining_ = remaining_ * 16 + static_cast<std::uint64_t>(digit);
    return true;
  }
  if (digits_ == 0) return false;
  if (c == '\r') {
    state_ = State::size_lf;
    return true;
  }
  if (c != ';') return false;
  state_ = State::extension;
  ext_ = Ext::name_begin;
  return true;
}

// chunk-ext = *( ";" name [ "=" ( token / quoted-string ) ] ), without optional white space.
bool BodyDecoder::step_extension(char c) {
  if (++extension_bytes_ > limits_.chunk_extension_bytes) return false;
  const bool may_end = ext_ == Ext::name || ext_ == Ext::value || ext_ == Ext::closed;
  if (ext_ == Ext::quoted) {
    if (c == '"') {
      ext_ = Ext::closed;
    } else if (c == '\\') {
      ext_ = Ext::escaped;
    }
    return is_field_value({&c, 1});
  }
  if (ext_ == Ext::escaped) {
    ext_ = Ext::quoted;
    return is_field_value({&c, 1});
  }
  if (may_end && c == '\r') {
    state_ = State::size_lf;
    return true;
  }
  if (may_end && c == ';') {
    ext_ = Ext::name_begin;
    return true;
  }
  if (ext_ == Ext::name && c == '=') {
    ext_ = Ext::value_begin;
    return true;
  }
  if (ext_ == Ext::value_begin && c == '"') {
    ext_ = Ext::quoted;
    return true;
  }
  if (ext_ == Ext::closed || !is_token_char(c)) return false;
  if (ext_ == Ext::name_begin) ext_ = Ext::name;
  if (ext_ == Ext::value_begin) ext_ = Ext::value;
  return true;
}

// Takes bytes up to the end of one trailer line; the empty line ends the body.
std::expected<std::size_t, Refusal> BodyDecoder::step_trailer(std::string_view in) {
  const auto lf = in.find('\n');
  const std::size_t n = lf == std::string_view::npos ? in.size() : lf + 1;
  trailer_bytes_ += n;
  if (trailer_bytes_ > limits_.trailer_bytes) return std::unexpected(Refusal::trailer);
  trailer_line_.append(in.substr(0, n));
  if (lf == std::string_view::npos) return n;
  if (!trailer_line_.ends_with("\r\n")) return std::unexpected(Refusal::line_end);
  const auto line = std::string_view(trailer_line_).substr(0, trailer_line_.size() - 2);
  if (line.empty()) {
    state_ = State::done;
    return n;
  }
  HeaderField field;
  // Nothing that frames, routes or authenticates may come late: RFC 9110, section 6.5.1.
  if (parse_field(line, field) || field.id != FieldId::other) {
    return std::unexpected(Refusal::trailer);
  }
  trailers_.append(field.name).append(": ").append(field.value).append("\r\n");
  trailer_line_.clear();
  return n;
}

std::expected<BodyDecoder::Piece, Refusal> BodyDecoder::next_chunked(std::string_view in) {
  std::size_t at = 0;
  while (at < in.size() && state_ != State::done) {
    const char c = in[at];
    switch (state_) {
      case State::size:
        if (!step_size(c)) return std::unexpected(Refusal::chunk_size);
        ++at;
        break;
      case State::extension:
        if (!step_extension(c)) return std::unexpected(Refusal::chunk_extension);
        ++at;
        break;
      case State::size_lf:
        if (c != '\n') return std::unexpected(Refusal::line_end);
        state_ = remaining_ ? State::data : State::trailer;
        ++at;
        break;
      case State::data: {
        const auto n =
            static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, in.size() - at));
        remaining_ -= n;
        if (remaining_ == 0) state_ = State::data_cr;
        return Piece{at + n, in.substr(at, n)};
      }
      case State::data_cr:
        if (c != '\r') return std::unexpected(Refusal::chunk_end);
        state_ = State::data_lf;
        ++at;
        break;
      case State::data_lf:
        if (c != '\n') return std::unexpected(Refusal::chunk_end);
        begin_chunk();
        ++at;
        break;
      case State::trailer: {
        const auto taken = step_trailer(in.substr(at));
        if (!taken) return std::unexpected(taken.error());
        at += *taken;
        break;
      }
      default:
        return Piece{at, {}};
    }
  }
  return Piece{at, {}};
}

}  // namespace heddle::http
