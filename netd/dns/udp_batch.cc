#include "netd/dns/udp_batch.h"

#include <utility>

namespace heddle::dns {

UdpBatch::UdpBatch(std::size_t most)
    : room_(most + 1), buffer_(room_ * kSize), peers_{}, parts_in_{}, parts_out_{}, in_{}, out_{} {
  for (std::size_t i = 0; i < kSize; ++i) {
    parts_in_[i] = {buffer_.data() + i * room_, room_};
    in_[i].msg_hdr.msg_iov = &parts_in_[i];
    in_[i].msg_hdr.msg_iovlen = 1;
    in_[i].msg_hdr.msg_name = &peers_[i].address;
    out_[i].msg_hdr.msg_iov = &parts_out_[i];
    out_[i].msg_hdr.msg_iovlen = 1;
  }
}

int UdpBatch::receive(int fd) {
  for (mmsghdr& message : in_) message.msg_hdr.msg_namelen = sizeof(sockaddr_storage);
  const int count = ::recvmmsg(fd, in_.data(), kSize, MSG_DONTWAIT, nullptr);
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    peers_[at].size = in_[at].msg_hdr.msg_namelen;
  }
  return count;
}

ByteView UdpBatch::message(int i) const {
  const auto at = static_cast<std::size_t>(i);
  return ByteView(buffer_).subspan(at * room_, in_[at].msg_len);
}

void UdpBatch::reply(int i, Bytes bytes) {
  Peer& peer = peers_[static_cast<std::size_t>(i)];
  replies_[queued_] = std::move(bytes);
  parts_out_[queued_] = {replies_[queued_].data(), replies_[queued_].size()};
  out_[queued_].msg_hdr.msg_name = &peer.address;
  out_[queued_].msg_hdr.msg_namelen = peer.size;
  ++queued_;
}

std::size_t UdpBatch::send(int fd) {
  std::size_t lost = 0;
  for (std::size_t at = 0; at < queued_;) {
    const int count = ::sendmmsg(fd, out_.data() + at, static_cast<unsigned>(queued_ - at),
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
    // The error is the first one's alone.
    if (count <= 0) ++lost;
    at += count > 0 ? static_cast<std::size_t>(count) : 1;
  }
  queued_ = 0;
  return lost;
}

}  // namespace heddle::dns
