#include "dataplane/bpf/objects.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/base/check.h"
#include "dataplane/bpf/first_failure.h"
#include "dataplane/bpf/libbpf_log.h"
#include "dataplane/bpf/load_error.h"
#include "ebpf/abi/socket.h"
#include "ebpf/lookup.skel.h"
#include "ebpf/overlay.skel.h"
#include "ebpf/sock.skel.h"
#include "ebpf/stale.skel.h"

namespace heddle::bpf {
namespace {

template <auto destroy>
struct Destroy {
  template <class T>
  void operator()(T* skeleton) const {
    destroy(skeleton);
  }
};
using Overlay = std::unique_ptr<overlay_bpf, Destroy<overlay_bpf__destroy>>;
using Sock = std::unique_ptr<sock_bpf, Destroy<sock_bpf__destroy>>;
using Lookup = std::unique_ptr<lookup_bpf, Destroy<lookup_bpf__destroy>>;
using Stale = std::unique_ptr<stale_bpf, Destroy<stale_bpf__destroy>>;

bpf_object_open_opts pinned_under(const std::string& pin_dir) {
  bpf_object_open_opts opts{};
  opts.sz = sizeof(opts);
  opts.pin_root_path = pin_dir.c_str();
  return opts;
}

// Unpins what lies at the map's path with another layout. True if a matching map is pinned there.
Result<bool> prepare_pin(const bpf_map* map) {
  const char* path = bpf_map__pin_path(map);
  if (path == nullptr) return false;
  UniqueFd pinned(bpf_obj_get(path));
  if (!pinned && errno == ENOENT) return false;
  if (!pinned) return fail_errno(errno, std::string("open the pinned map ") + path);
  bpf_map_info info{};
  std::uint32_t bytes = sizeof(info);
  if (bpf_obj_get_info_by_fd(pinned.get(), &info, &bytes) != 0)
    return fail_errno(errno, std::string("look at the pinned map ") + path);
  const bool matches = info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
                       info.value_size == bpf_map__value_size(map) &&
                       info.max_entries == bpf_map__max_entries(map) &&
                       info.map_flags == bpf_map__map_flags(map);
  if (matches) return true;
  if (::unlink(path) != 0) return fail_errno(errno, std::string("unpin the old map ") + path);
  return false;
}

Result<std::uint32_t> map_id(int fd) {
  bpf_map_info info{};
  std::uint32_t bytes = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &bytes) != 0) return fail_errno(errno, "look at a map");
  return info.id;
}

struct Pins {
  int matching = 0;
  int fresh = 0;
};

Result<> prepare_pins(const bpf_object* object, Pins& pins) {
  const bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__pin_path(map) == nullptr) continue;
    TRY(const bool matches, prepare_pin(map));
    ++(matches ? pins.matching : pins.fresh);
  }
  return {};
}

Result<Lookup> load_lookup(const std::string& pin_dir, std::uint64_t cookie, Pins& pins) {
  begin_libbpf_log();
  const bpf_object_open_opts opts = pinned_under(pin_dir);
  Lookup skeleton(lookup_bpf__open_opts(&opts));
  if (!skeleton) return std::unexpected(load_error(errno, "lookup"));
  skeleton->rodata->netns_cookie = cookie;
  TRY_DO(prepare_pins(skeleton->obj, pins));
  if (const int failed = lookup_bpf__load(skeleton.get()); failed != 0)
    return std::unexpected(load_error(-failed, "lookup"));
  return skeleton;
}

// Null on a kernel without the iterator, which works all the same: the probe says what is lost.
Stale load_stale(const std::string& pin_dir) {
  begin_libbpf_log();
  const bpf_object_open_opts opts = pinned_under(pin_dir);
  Stale skeleton(stale_bpf__open_opts(&opts));
  if (skeleton && stale_bpf__load(skeleton.get()) != 0) skeleton.reset();
  return skeleton;
}

}  // namespace

struct Objects::Skeletons {
  Overlay overlay;
  Sock sock;
  Lookup lookup;  // for its maps; its program serves no namespace
  Stale stale;    // null: this kernel cannot
};

Objects::Objects(std::string pin_dir, std::unique_ptr<Skeletons> skeletons, bool adopted)
    : pin_dir_(std::move(pin_dir)), skeletons_(std::move(skeletons)), adopted_(adopted) {}
Objects::~Objects() = default;

Result<std::unique_ptr<Objects>> Objects::load(const std::string& pin_dir) {
  begin_libbpf_log();
  const bpf_object_open_opts opts = pinned_under(pin_dir);
  Pins pins;
  auto skeletons = std::make_unique<Skeletons>();
  skeletons->overlay.reset(overlay_bpf__open_opts(&opts));
  if (!skeletons->overlay) return std::unexpected(load_error(errno, "overlay"));
  TRY_DO(prepare_pins(skeletons->overlay->obj, pins));
  if (const int failed = overlay_bpf__load(skeletons->overlay.get()); failed != 0)
    return std::unexpected(load_error(-failed, "overlay"));

  begin_libbpf_log();
  skeletons->sock.reset(sock_bpf__open_opts(&opts));
  if (!skeletons->sock) return std::unexpected(load_error(errno, "sock"));
  TRY_DO(prepare_pins(skeletons->sock->obj, pins));
  if (const int failed = sock_bpf__load(skeletons->sock.get()); failed != 0)
    return std::unexpected(load_error(-failed, "sock"));

  TRY(skeletons->lookup, load_lookup(pin_dir, 0, pins));
  skeletons->stale = load_stale(pin_dir);
  // The drop counters are in each object, so that one of them at least finds them pinned.
  const bool adopted = pins.fresh == 0;
  return std::unique_ptr<Objects>(new Objects(pin_dir, std::move(skeletons), adopted));
}

int Objects::map(std::string_view name) const {
  const std::string key(name);
  for (const bpf_object* object :
       {skeletons_->overlay->obj, skeletons_->sock->obj, skeletons_->lookup->obj}) {
    if (const bpf_map* map = bpf_object__find_map_by_name(object, key.c_str()); map != nullptr)
      return bpf_map__fd(map);
  }
  CHECK(!"a map of this name exists");
  return -1;
}

int Objects::from_container() const {
  return bpf_program__fd(skeletons_->overlay->progs.from_container);
}
int Objects::from_underlay() const {
  return bpf_program__fd(skeletons_->overlay->progs.from_underlay);
}
int Objects::from_vxlan() const {
  return bpf_program__fd(skeletons_->overlay->progs.from_vxlan);
}

int Objects::stale() const {
  return skeletons_->stale ? bpf_program__fd(skeletons_->stale->progs.heddle_stale) : -1;
}

int Objects::socket_hook(SocketHook hook) const {
  const auto& programs = skeletons_->sock->progs;
  const std::array<const bpf_program*, kSocketHooks> in_order = {
      programs.heddle_connect4,     programs.heddle_connect6,     programs.heddle_sendmsg4,
      programs.heddle_sendmsg6,     programs.heddle_recvmsg4,     programs.heddle_recvmsg6,
      programs.heddle_getpeername4, programs.heddle_getpeername6, programs.heddle_sockops,
      programs.heddle_getsockopt,
  };
  return bpf_program__fd(in_order[static_cast<std::size_t>(hook)]);
}

Result<UniqueFd> Objects::load_inbound(std::uint64_t cookie) const {
  Pins pins;
  TRY(const Lookup skeleton, load_lookup(pin_dir_, cookie, pins));
  UniqueFd own(::fcntl(bpf_program__fd(skeleton->progs.heddle_inbound), F_DUPFD_CLOEXEC, 0));
  if (!own) return fail_errno(errno, "duplicate a program's descriptor");
  return own;
}

std::map<std::string, int> Objects::pinned_maps() const {
  std::map<std::string, int> maps;
  for (const bpf_object* object :
       {skeletons_->overlay->obj, skeletons_->sock->obj, skeletons_->lookup->obj}) {
    const bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
      if (const char* path = bpf_map__pin_path(map); path != nullptr)
        maps.emplace(path, bpf_map__fd(map));
    }
  }
  return maps;
}

Result<std::set<std::string>> Objects::missing_pins() const {
  std::set<std::string> missing;
  for (const auto& [path, fd] : pinned_maps()) {
    const UniqueFd pinned(bpf_obj_get(path.c_str()));
    if (!pinned && errno != ENOENT) return fail_errno(errno, "open the pinned map " + path);
    TRY(const std::uint32_t ours, map_id(fd));
    TRY(const std::uint32_t found, pinned ? map_id(pinned.get()) : Result<std::uint32_t>(0));
    if (found != ours) missing.insert(path.substr(path.rfind('/') + 1));
  }
  return missing;
}

Result<> Objects::restore_pins() {
  TRY(const std::set<std::string> missing, missing_pins());
  for (const auto& [path, fd] : pinned_maps()) {
    if (!missing.contains(path.substr(path.rfind('/') + 1))) continue;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "unpin " + path);
    if (bpf_obj_pin(fd, path.c_str()) != 0) return fail_errno(errno, "pin " + path);
  }
  return {};
}

Result<> Objects::unpin() {
  FirstFailure steps;
  for (const auto& [path, fd] : pinned_maps()) {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) continue;
    steps.then(fail_errno(errno, "unpin " + path));
  }
  return std::move(steps).result();
}

Result<std::uint32_t> program_id(int program_fd) {
  bpf_prog_info info{};
  std::uint32_t bytes = sizeof(info);
  if (bpf_obj_get_info_by_fd(program_fd, &info, &bytes) != 0)
    return fail_errno(errno, "look at a program");
  return info.id;
}

}  // namespace heddle::bpf
