#pragma once
#include <memory>

#include "common/async/task_group.h"
#include "proxy/http2/transport.h"
#include "proxy/listener/client.h"
#include "proxy/listener/http2_client.h"
#include "proxy/listener/ingress.h"
#include "proxy/listener/way.h"

namespace heddle::listener {

// Serves HTTP/2 on a client's connection: each request is a task. Ends when the client has gone,
// was idle for too long, or broke the protocol; on a drain, when what it had sent by then is
// answered. Threads: the core's.
class Http2Session final : private http2::Session::Handler, private Drainable {
 public:
  Http2Session(Ingress& ingress, Client& client, const Way& way);
  ~Http2Session();

  Task<> run();

 private:
  Task<> serve(std::unique_ptr<Http2Client> stream);
  Task<> read_all();
  Deadline read_by() const;
  bool give_up();  // nothing came in time; true: the connection ends
  void stream_ended();

  std::unique_ptr<http2::Stream> make_stream() override;
  void on_request(std::unique_ptr<http2::Stream> stream) override;
  void on_goaway() override {}
  void on_shutdown_read() override;
  void on_flood(http2::Flood flood) override;
  void on_output() override { transport_.wake(); }
  void drain() override;

  Ingress& ingress_;
  Client& client_;
  const Way& way_;
  http2::Session session_;
  http2::Transport transport_;
  TaskGroup tasks_;
  std::size_t under_way_ = 0;  // also those whose stream was reset, until their work has ended
  Deadline quiet_since_;       // no request is under way
  Deadline head_since_ = Deadline::max();
  std::uint64_t head_ = 0;      // which one that is
  bool shutting_down_ = false;  // the last stream is announced
};

}  // namespace heddle::listener
