#pragma once
#include <boost/intrusive/list.hpp>
#include <string>

#include "proxy/io/read_buffer.h"
#include "proxy/io/stream.h"

namespace heddle::listener {

// What serves a connection that has more to say at its end than `Connection: close`.
class Drainable {
 public:
  virtual void drain() = 0;

 protected:
  ~Drainable() = default;
};

// A client's connection while it is served. Threads: the core's.
class Client : public boost::intrusive::list_base_hook<
                   boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  Client(io::Stream::Socket socket, io::DeadlineQueue& deadlines)
      : stream(std::move(socket), deadlines) {}

  io::Stream stream;
  io::ReadBuffer in;
  std::string address;                     // of the client, without port
  std::uint16_t local_port = 0;            // that it connected to
  bool waiting = false;                    // between requests
  bool draining = false;                   // the last response says `Connection: close`
  Deadline quiet_until = Deadline::max();  // of a drain: what is silent until then is closed
  io::Abortable* peer = nullptr;           // what the other end of this connection's work waits on

  Drainable* drainable = nullptr;

  // Ends the connection without losing a request: one that the client sent before it could know is
  // answered, on a connection that has not carried any yet too.
  void drain(Deadline quiet) {
    draining = true;
    quiet_until = quiet;
    if (drainable) drainable->drain();
    if (waiting) stream.expect_read_by(quiet);
  }
  void abort() {
    draining = true;
    stream.abort();
    if (peer) peer->abort();
  }
};

// While it exists, aborting the connection ends what waits on `peer` too.
class ConnectionPeer {
 public:
  ConnectionPeer(Client& client, io::Abortable& peer) : client_(client) { client.peer = &peer; }
  ~ConnectionPeer() { client_.peer = nullptr; }
  ConnectionPeer(const ConnectionPeer&) = delete;
  ConnectionPeer& operator=(const ConnectionPeer&) = delete;

 private:
  Client& client_;
};

// Reads on for a moment after the last response, so that a client that is still sending gets to see
// it instead of a reset (RFC 9112, section 9.6).
Task<> linger(Client& client, std::chrono::milliseconds time);

}  // namespace heddle::listener
