// An upgrade of the Debian package on a host that runs it under systemd.
import test from 'ava'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createContainer } from '../lab/world/container.ts'
import { ROOT, waitForSubnetEnv, startFlanneld, subnetEnv } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { startPings } from '../lab/instruments/ping.ts'
import { UNITS, bootSystemd } from '../lab/world/systemd.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

const folder = mkdtempSync(join(tmpdir(), 'deb-'))
test.after.always(() => {
  rmSync(folder, { recursive: true })
})

function build(version: string): string {
  const output = join(folder, `${version}.deb`)
  execFileSync(process.execPath, ['scripts/deb.ts', version, 'amd64', output], { cwd: ROOT })
  return output
}

/** Gives a host a /usr it may write to, a dpkg that knows of no package, and services that may be started and stopped. */
async function withDpkg(host: Host): Promise<void> {
  await host.run(`set -e
    mkdir -p /run/usr/new /run/usr/work /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/dpkg/triggers
    mount -t overlay -o lowerdir=/usr,upperdir=/run/usr/new,workdir=/run/usr/work overlay /usr
    touch /var/lib/dpkg/status
    rm -f /usr/sbin/policy-rc.d
    mkdir -p ${UNITS}`)
}

test('an upgrade restarts the daemon that runs, keeps its options, and no packet is lost', async (t) => {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  const [host, other] = await Promise.all([lan.host(121), lan.host(122)])
  await withDpkg(host)
  const systemd = await bootSystemd(lab, host, [])
  const install = (deb: string): Promise<string> =>
    systemd.run(`dpkg --force-depends --log=/run/dpkg.log -i ${deb} 2>&1`)
  const show = async (property: string): Promise<string> =>
    (await systemd.run(`systemctl show flanneld -p ${property} --value`)).trim()

  await install(build('1.0'))
  // Where this systemd looks for units.
  await systemd.run(`ln -s /usr/lib/systemd/system/flanneld.service ${UNITS} && systemctl daemon-reload`)
  t.is(await show('ActiveState'), 'inactive', 'not started unasked')
  const options = `FLANNELD_ETCD_ENDPOINTS=http://192.168.19.120:2379\\nFLANNELD_ETCD_PREFIX=${PREFIX}\\nFLANNELD_IFACE=enp0s3\\n`
  await systemd.run(`printf '${options}' >>/etc/default/flanneld && systemctl start flanneld`)
  t.is(await show('StatusText'), 'healthy')
  const a = await createContainer(host, await subnetEnv(host))
  const b = await createContainer(other, await waitForSubnetEnv(other, await startFlanneld(other, ARGS)))
  await waitFor('containers to reach each other', () => b.run(`ping -c 1 -W 1 ${a.address}`), 60_000)

  const pid = await show('MainPID')
  const pings = await startPings(b, a.address)
  await waitFor('a pong', () => pings.received() > 0)
  await install(build('2.0'))
  await waitFor(
    'the new daemon',
    async () => (await show('MainPID')) !== pid && (await show('StatusText')) === 'healthy',
    60_000,
  )
  const soFar = pings.received()
  await waitFor('more pongs', () => pings.received() > soFar)
  const { lost, received } = await pings.stop()
  t.is(lost, 0, `of ${String(lost + received)} packets`)
  t.regex(await systemd.run('cat /etc/default/flanneld'), /^FLANNELD_IFACE=enp0s3$/m)

  // Removing the package stops the daemon and leaves the network; the administrator is notified.
  t.regex(await systemd.run('dpkg --log=/run/dpkg.log --remove flanneld 2>&1'), /flannel\.1, its routes and rules stay/)
  t.is(await show('ActiveState'), 'inactive')
  await b.run(`ping -c 1 -W 1 ${a.address}`)
})
