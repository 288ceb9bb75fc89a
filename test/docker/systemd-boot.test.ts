// The units under examples/systemd at work, under a systemd of their own.
import test from 'ava'
import { join } from 'node:path'
import { ROOT, SINGLE_FILE, subnetEnv } from '../lab/actors/flanneld.ts'
import { createLab } from '../lab/world/lab.ts'
import { UNITS, bootSystemd } from '../lab/world/systemd.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { PREFIX } from '../lab/world/network.ts'
import { startEtcd } from '../lab/world/etcd.ts'

const EXAMPLES = join(ROOT, 'examples/systemd')

/** Only what it was started with matters here. */
const DOCKERD = '#!/bin/sh\necho "$@" >>/run/dockerd.args\nexec sleep 1000000\n'
const DOCKER_SERVICE = '[Unit]\nDescription=Docker\n[Service]\nType=simple\nExecStart=/usr/sbin/dockerd -H fd://\n'

test('flanneld runs hardened with two capabilities; dockerd waits for it and has the leased bridge', async (t) => {
  const lab = await createLab(t)
  const lan = await lab.lan()
  const etcd = await startEtcd(lan)
  const host = await lan.host(121)
  await host.run(`set -e
    touch /usr/local/bin/flanneld /run/dockerd
    mount --bind ${SINGLE_FILE} /usr/local/bin/flanneld
    mkdir -p ${UNITS}/docker.service.d
    cp ${EXAMPLES}/flanneld.service ${UNITS}
    cp ${EXAMPLES}/docker.service.d/flannel.conf ${UNITS}/docker.service.d
    printf 'FLANNELD_ETCD_ENDPOINTS=http://192.168.19.120:2379\\nFLANNELD_ETCD_PREFIX=${PREFIX}\\nFLANNELD_IFACE=enp0s3\\n' \\
      >/etc/default/flanneld
    # Options of an earlier boot that must not count.
    echo 'DOCKER_OPTS=--bip=10.9.9.1/24' >/run/docker_opts.env`)
  await host.run('cat >/run/dockerd && chmod +x /run/dockerd && mount --bind /run/dockerd /usr/sbin/dockerd', DOCKERD)
  await host.run(`cat >${UNITS}/docker.service`, DOCKER_SERVICE)
  const systemd = await bootSystemd(lab, host, ['flanneld.service', 'docker.service'])
  const show = async (unit: string, property: string): Promise<string> =>
    (await systemd.run(`systemctl show ${unit} -p ${property} --value`)).trim()

  // No network config yet: flanneld waits, and Docker with it.
  await waitFor('flanneld to start', async () =>
    /^broken: config: no network config/.test(await show('flanneld', 'StatusText')),
  )
  t.is(await show('flanneld', 'ActiveState'), 'activating')
  t.is(await show('docker', 'ActiveState'), 'inactive')

  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  const args = await waitFor('dockerd', async () => (await host.run('cat /run/dockerd.args')).trim())
  const { FLANNEL_SUBNET: subnet = '' } = await subnetEnv(host)
  t.regex(args, new RegExp(`--bip=${subnet.replaceAll('.', '\\.')} --ip-masq=true --mtu=1450$`))
  t.is(await show('flanneld', 'ActiveState'), 'active')
  t.is(await show('flanneld', 'StatusText'), 'healthy')

  const pid = await show('flanneld', 'MainPID')
  const status = await systemd.run(`cat /proc/${pid}/status`)
  const [admin, raw] = [1n << 12n, 1n << 13n]
  t.is(BigInt(`0x${/^CapBnd:\s*(\w+)$/m.exec(status)?.[1]}`), admin | raw)
  t.is(BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(status)?.[1]}`), admin | raw)
  t.regex(status, /^NoNewPrivs:\s*1$/m)
  t.regex(status, /^Seccomp:\s*2$/m)
  await waitFor('the rules', async () => (await host.run('iptables-save')).includes('-j FLANNEL-FWD'))
  t.regex(await host.run('nft list tables'), /flannel-guard-1/)

  // Restarted, it leaves Docker running; stopped, it ends well.
  await systemd.run('systemctl restart flanneld')
  t.is(await show('flanneld', 'ActiveState'), 'active')
  await systemd.run('systemctl stop flanneld')
  t.is(await show('flanneld', 'Result'), 'success')
  t.is(await show('docker', 'ActiveState'), 'active')
  t.is((await host.run('cat /run/dockerd.args')).trim(), args, 'dockerd was started once')

  // Without flanneld and its lease Docker is not started, whatever it was started with before.
  await systemd.run(
    `systemctl stop docker && rm /run/flannel/subnet.env ${UNITS}/flanneld.service && systemctl daemon-reload`,
  )
  await t.throwsAsync(systemd.run('systemctl start docker'))
  t.is((await host.run('cat /run/dockerd.args')).trim(), args)
})
