#pragma once
#include <optional>
#include <vector>

#include "dataplane/bpf/objects.h"
#include "dataplane/bpf/programs.h"
#include "dataplane/bpf/table.h"
#include "ebpf/abi/overlay.h"

namespace heddle::bpf {

// Ports, networks, addresses, blocks and the underlay: the maps of ebpf/overlay.bpf.c and its tc
// filters. Contracts are those of Programs.
class OverlayTables final {
 public:
  static Result<OverlayTables> open(const Objects& objects);

  // Gives the filters of a previous process these programs. Only filters that are there.
  Result<> replace_programs();

  Result<> attach_port(const Programs::Port& port);
  Result<> detach_port(IfIndex index);
  Result<std::vector<Programs::Port>> ports() const;

  Result<> attach_underlay(const Programs::UnderlayHook& hook);
  Result<> detach_underlay();
  Result<std::optional<Programs::UnderlayHook>> underlay() const;

  Result<> put_network(const dataplane::OverlayNetwork& network);
  Result<> remove_network(Vni vni);
  Result<std::vector<dataplane::OverlayNetwork>> networks() const;

  Result<> put_address(const Programs::Address& address);
  Result<> remove_address(Vni vni, IpAddr address);
  Result<std::vector<Programs::Address>> addresses() const;

  Result<> put_block(const dataplane::OverlayBlock& block);
  Result<> remove_block(Vni vni, const Prefix& prefix);
  Result<std::vector<dataplane::OverlayBlock>> blocks() const;

  // Takes every filter away; the maps stay.
  Result<> detach_all();

 private:
  struct Program {
    int fd;  // borrowed from the objects
    std::uint32_t id;
  };
  OverlayTables(Table<__u32, heddle_node> node, Table<__u32, heddle_network> networks,
                Table<heddle_address_key, heddle_address> addresses,
                Table<heddle_block_key, heddle_block> blocks, Table<__u32, heddle_port> ports)
      : node_(std::move(node)),
        networks_(std::move(networks)),
        addresses_(std::move(addresses)),
        blocks_(std::move(blocks)),
        ports_(std::move(ports)) {}

  Result<heddle_node> read_node() const;
  static Result<> detach_devices(const heddle_node& node);

  Table<__u32, heddle_node> node_;
  Table<__u32, heddle_network> networks_;
  Table<heddle_address_key, heddle_address> addresses_;
  Table<heddle_block_key, heddle_block> blocks_;
  Table<__u32, heddle_port> ports_;
  Program from_container_{};
  Program from_underlay_{};
  Program from_vxlan_{};
};

}  // namespace heddle::bpf
