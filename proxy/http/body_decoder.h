#pragma once
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "proxy/http/message.h"

namespace heddle::http {

// Takes a body out of its framing, piece by piece, without copying. RFC 9112, sections 6 and 7;
// chunk extensions are checked and dropped.
//
//   while (!decoder.done() && !in.empty()) {
//     auto piece = decoder.next(in);  in.remove_prefix(piece->consumed);  ... piece->data ...
//   }
class BodyDecoder {
 public:
  BodyDecoder() = default;  // no body: done
  BodyDecoder(Framing framing, const Limits& limits);

  struct Piece {
    std::size_t consumed;   // > 0 unless done
    std::string_view data;  // part of `in`; may be empty
  };
  std::expected<Piece, Refusal> next(std::string_view in);

  // The other side closed. True if that is how this body ends.
  bool finish_at_close();

  bool done() const { return state_ == State::done; }
  // Validated `Name: value\r\n` lines, without framing fields; complete once done.
  const std::string& trailers() const { return trailers_; }

 private:
  enum class State : std::uint8_t {
    done,
    length,
    until_close,
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,
  };

  std::expected<Piece, Refusal> next_chunked(std::string_view in);
  bool step_size(char c);       // false: malformed
  bool step_extension(char c);  // false: malformed or too long
  std::expected<std::size_t, Refusal> step_trailer(std::string_view in);
  void begin_chunk();

  State state_ = State::done;
  std::uint8_t digits_ = 0;  // of the size so far
  enum class Ext : std::uint8_t { name_begin, name, value_begin, value, quoted, escaped, closed };
  Ext ext_ = Ext::name_begin;
  std::uint64_t remaining_ = 0;  // of the body or of the chunk
  std::size_t extension_bytes_ = 0;
  Limits limits_;
  std::string trailer_line_;
  std::size_t trailer_bytes_ = 0;
  std::string trailers_;
};

}  // namespace heddle::http
