// The units under examples/systemd, judged by systemd itself.
import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, SINGLE_FILE } from '../lab/actors/flanneld.ts'
import { addCard } from '../lab/world/card.ts'
import { createLab, type Lab } from '../lab/world/lab.ts'
import type { Space } from '../lab/world/space.ts'
import { waitFor } from '../lab/instruments/wait.ts'

const UNITS = join(ROOT, 'examples/systemd')
/** docs/docker.md states 2.6 (versions of systemd differ a little); systemd calls up to 5 medium. */
const EXPOSURE = 2.7

/** A machine with the units and flanneld installed as the README of the examples says. */
async function installed(lab: Lab): Promise<Space> {
  const host = await lab.space('systemd')
  await host.run(`set -e
    touch /usr/local/bin/flanneld && mount --bind ${SINGLE_FILE} /usr/local/bin/flanneld
    mkdir -p /etc/systemd/system /etc/systemd/network /etc/systemd/networkd.conf.d
    cp ${UNITS}/flanneld.service /etc/systemd/system
    cp -r ${UNITS}/docker.service.d /etc/systemd/system
    cp ${UNITS}/network/* /etc/systemd/network
    cp ${UNITS}/networkd.conf.d/* /etc/systemd/networkd.conf.d`)
  return host
}

test('systemd-analyze verify accepts the service and the drop-ins without a remark', async (t) => {
  const host = await installed(await createLab(t))
  t.is(await host.run('systemd-analyze verify flanneld.service docker.service 2>&1'), '')
  // The other drop-in, in place of the first.
  await host.run('cd /etc/systemd/system/docker.service.d && mv flannel-network.conf.example flannel.conf')
  t.is(await host.run('systemd-analyze verify docker.service 2>&1'), '')
})

test('systemd-analyze security: the exposure is what the documentation states, or less', async (t) => {
  const host = await installed(await createLab(t))
  const report = await host.run(
    `systemd-analyze security --offline=true --threshold=${EXPOSURE * 10} flanneld.service 2>&1`,
  )
  const level = Number(/Overall exposure level for flanneld\.service: ([\d.]+)/.exec(report)?.[1])
  t.log(`exposure level ${level}`)
  t.true(level <= EXPOSURE, report)
})

test('the daemon has two capabilities, starts before Docker, and reports by itself when it is ready', (t) => {
  const unit = readFileSync(join(UNITS, 'flanneld.service'), 'utf8')
  t.regex(unit, /^CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW$/m)
  t.regex(unit, /^Before=docker\.service$/m)
  t.regex(unit, /^Type=notify$/m)
  t.regex(unit, /^WatchdogSec=\d+$/m)
})

test('dockerd starts with what docker-opts wrote at this start, or not at all', async (t) => {
  const host = await installed(await createLab(t))
  const unit = readFileSync(join(UNITS, 'docker.service.d/flannel.conf'), 'utf8')
  const before = Array.from(unit.matchAll(/^ExecStartPre=(.*)$/gm), (line) => line[1]).join(' && ')
  await host.run('echo DOCKER_OPTS=--bip=10.9.9.1/24 >/run/docker_opts.env')
  for (const content of ['', 'FLANNEL_NETWORK=10.2.0.0/16\nFLANNEL_SUBNET=10.2.21.1/24\n']) {
    await host.run('cat >/run/flannel/subnet.env', content)
    await t.throwsAsync(host.run(before), { message: /subnet\.env: FLANNEL_\w+ is missing/ })
    await t.throwsAsync(
      host.run('cat /run/docker_opts.env'),
      { message: /No such file/ },
      'and no old options are left',
    )
  }
  await host.run('echo FLANNEL_MTU=1450 >>/run/flannel/subnet.env; echo FLANNEL_IPMASQ=true >>/run/flannel/subnet.env')
  await host.run(before)
  t.is(await host.run('cat /run/docker_opts.env'), 'DOCKER_OPTS=" --bip=10.2.21.1/24 --ip-masq=false --mtu=1450"\n')
})

test('a systemd-networkd that takes every device leaves flannel.1 and foreign routes alone', async (t) => {
  const host = await installed(await createLab(t))
  await addCard(host, 'enp0s3', ['192.168.19.121/24'])
  // With a read-only /sys, networkd takes udev for absent and does not wait for it.
  await host.run(`set -e
    mount -t sysfs -o ro none /sys
    mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
    printf '[Match]\\nName=*\\n[Network]\\nAddress=10.9.0.1/24\\n' >/etc/systemd/network/50-all.network
    ip link add flannel.1 type vxlan id 1 local 192.168.19.121 dev enp0s3 dstport 8472 nolearning
    ip addr add 10.2.21.0/32 dev flannel.1; ip link set flannel.1 up
    ip route add 10.2.22.0/24 via 192.168.19.122 dev enp0s3 proto 88`)
  const before = await host.run('ip addr show flannel.1; ip route show dev flannel.1')
  const daemon = await host.spawn('env SYSTEMD_LOG_TARGET=console /lib/systemd/systemd-networkd')
  await waitFor('networkd to configure a device', async () =>
    (await host.run('ip -br addr show enp0s3')).includes('10.9.0.1'),
  )
  await daemon.stop()
  t.is(await host.run('ip addr show flannel.1; ip route show dev flannel.1'), before)
  t.regex(await host.run('ip route show 10.2.22.0/24'), /via 192\.168\.19\.122/)
  t.notRegex(daemon.output(), /Unknown (key|section)|flannel\.1: Configuring/)
})

test('the NetworkManager file adds flannel devices to the unmanaged ones, and replaces no other setting', (t) => {
  const text = readFileSync(join(UNITS, 'NetworkManager/flannel.conf'), 'utf8')
  const [, names = ''] = /^\[keyfile\]\nunmanaged-devices\+=(.*)$/m.exec(text) ?? []
  t.deepEqual(
    names.split(';'),
    ['flannel.*', 'flannel-*', 'flannel0'].map((name) => `interface-name:${name}`),
  )
})
