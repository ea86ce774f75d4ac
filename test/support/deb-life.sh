# What a Debian package goes through, in the overlay of overlay-root.sh; prints "== what" lines that the test reads.
set -e
list() {
  find /etc /usr /lib /opt /run /var -xdev \( -path /var/log -o -path /var/cache -o -path /var/lib/dpkg -o -name '*-' \) \
    -prune -o -printf '%p %m %u %g %l\n' | sort
  getent passwd
  getent group
}
tandem() { command tandem "$@"; }
deb=$(echo /mnt/*.deb)
export DEBIAN_FRONTEND=noninteractive
list >/tmp/before
# Node may be here without being a package
dpkg --force-depends -i "$deb" >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; exit 1; }
echo "== installed"
list >/tmp/installed
diff /tmp/before /tmp/installed | grep '^[<>]' | grep -v '/usr/lib/tandem-lb/\|/usr/share/doc/tandem-lb/' || true

echo "== version"
tandem version
echo "== check"
tandem check /usr/share/doc/tandem-lb/examples/minimal.toml
echo "== modules"
(cd /usr/lib/tandem-lb && "${TANDEM_NODE:-node}" --input-type=module -e '
  const { dependencies } = JSON.parse((await import("node:fs")).readFileSync("package.json", "utf8"));
  for (const name of Object.keys(dependencies)) if (!/^node-(gyp|addon-api)$/.test(name)) await import(name);
  console.log("all load");
')
echo "== wrong node"
printf '#!/bin/sh\necho v18.19.0\n' >/tmp/old-node
chmod 755 /tmp/old-node
TANDEM_NODE=/tmp/old-node tandem version 2>&1 || echo "status $?"
TANDEM_NODE=/nonexistent tandem version 2>&1 || echo "status $?"

echo "== runs"
cat >/etc/tandem/tandem.toml <<'END'
[[service]]
name = "web"
listen = ["127.0.0.1:8080"]
[[service.backend]]
address = "127.0.0.1:9"
[failover]
[[failover.group]]
interface = "veth-deb"
vrid = 51
addresses = ["10.98.7.100/24"]
END
ip link add veth-deb type veth peer name veth-other
ip address add 10.98.7.1/24 dev veth-deb
ip link set veth-other up
ip link set veth-deb up
mkdir -p /run/tandem && chown tandem:tandem /run/tandem
caps=-all,+net_raw,+net_admin,+net_bind_service,+sys_nice
setpriv --reuid tandem --regid tandem --clear-groups --no-new-privs --inh-caps "$caps" --ambient-caps "$caps" \
  --bounding-set "$caps" tandem run >/tmp/daemon.log 2>&1 &
daemon=$!
for _ in $(seq 100); do
  if tandem status --json 2>/dev/null | grep -q '"state":"Active"'; then break; fi
  if ! kill -0 $daemon; then break; fi
  sleep 0.1
done
tandem status --json | grep -o '"state":"Active"' || cat /tmp/daemon.log
kill $daemon
wait $daemon && echo "ended well"

echo "== upgraded"
echo '# mine' >>/etc/sysctl.d/60-tandem-lb.conf
dpkg --force-depends --force-confdef --force-confold -i "$deb" >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; exit 1; }
tail -1 /etc/sysctl.d/60-tandem-lb.conf
ls /etc/tandem

echo "== removed"
dpkg -r tandem-lb >/dev/null 2>&1
ls /etc/tandem /etc/sysctl.d/60-tandem-lb.conf

echo "== purged"
dpkg -P tandem-lb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; exit 1; }
list >/tmp/after
diff /tmp/before /tmp/after && echo "as before"

echo "== purged in use"
dpkg --force-depends -i "$deb" >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; exit 1; }
setpriv --reuid tandem --regid tandem --clear-groups sleep 60 &
# once it is that user's
for _ in $(seq 100); do
  if [ "$(stat -c %U /proc/$!)" = tandem ]; then break; fi
  sleep 0.1
done
dpkg -P tandem-lb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; exit 1; }
dpkg-query -W tandem-lb >/dev/null 2>&1 || echo "not installed"
stat -c %U /proc/$!
kill $!
