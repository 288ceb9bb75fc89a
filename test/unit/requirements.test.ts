// What a backend needs of a host, checked on this machine.
import test from 'ava'
import { createSocket } from 'node:dgram'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { type HostAsked, lackOf } from '../../src/obstacles/requirements.ts'
import type { KernelState } from '../../src/kernel/state.ts'

function asking(over: Partial<HostAsked['kernel']> = {}, path = '/usr/bin:/bin'): HostAsked {
  const kernel = {
    hasLinkType: () => Promise.resolve(false),
    observe: () => Promise.resolve(new Map()),
    wireguardProgram: undefined,
    ...over,
  }
  return { kernel, type: 'wireguard', family: 4, path }
}

test('a device that the kernel cannot make: the key, what is missing, and what to install', async (t) => {
  const need = { type: 'link', key: 'Backend.Type', link: 'wireguard' } as const
  t.is(
    await lackOf(need, asking()),
    'Backend.Type: wireguard: this kernel has no wireguard: load the module with modprobe wireguard, or name a program by -wireguard-go (Debian package wireguard-go)',
  )
  t.is(await lackOf(need, asking({ hasLinkType: () => Promise.resolve(true) })), undefined)
  // Without the right to ask, the start of the daemon finds out.
  t.is(await lackOf(need, asking({ hasLinkType: () => Promise.resolve(undefined) })), undefined)
  t.is(
    await lackOf(need, asking({ wireguardProgram: '/nowhere/wireguard-go' })),
    '-wireguard-go: /nowhere/wireguard-go: is no program: install the package wireguard-go, or correct the path',
  )
})

test('a UDP port that another program has, unless it is a device of ours', async (t) => {
  const socket = createSocket('udp4')
  t.teardown(() => {
    socket.close()
  })
  const port = await new Promise<number>((resolve) =>
    socket.bind(0, () => {
      resolve(socket.address().port)
    }),
  )
  const need = { type: 'udp-port', key: 'Backend.ListenPort', port } as const
  t.is(
    await lackOf(need, asking()),
    `Backend.ListenPort: ${port}: in use by another program (ss -ulpn sport = :${port} shows which): stop it, or set another Backend.ListenPort`,
  )
  const ours: KernelState = new Map([
    [
      'link flannel-wg',
      { kind: 'link', type: 'wireguard', name: 'flannel-wg', port, publicKey: '', mtu: 1420, up: true },
    ],
  ])
  t.is(await lackOf(need, asking({ observe: () => Promise.resolve(ours) })), undefined)
})

test('a file that is missing or cannot be opened', async (t) => {
  const need = { type: 'file', key: 'Backend.Type', path: '/nowhere/tun', fix: 'make it' } as const
  t.is(await lackOf(need, asking()), 'Backend.Type: /nowhere/tun: cannot be opened (ENOENT): make it')
  t.is(await lackOf({ ...need, path: '/dev/null' }, asking()), undefined)
})

test('a program by path or name, the first that can be executed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'flanneld-'))
  writeFileSync(join(folder, 'charon'), '', { mode: 0o644 })
  const need = { type: 'program', key: 'Backend.Type', names: ['charon', 'charon-systemd'], fix: 'install it' } as const
  const path = `${folder}:/usr/bin`
  t.is(
    await lackOf(need, asking({}, path)),
    'Backend.Type: wireguard: needs charon or charon-systemd, which is not here or cannot be executed: install it',
  )
  t.is(await lackOf({ ...need, names: ['charon', 'env'] }, asking({}, path)), undefined)
  t.is(await lackOf({ ...need, names: ['/usr/bin/env'] }, asking({}, '')), undefined)
  // A folder is no program, and a command's key says which one it is.
  t.is(
    await lackOf({ ...need, key: 'Backend.ShutdownCommand', names: ['/usr'] }, asking({}, path)),
    'Backend.ShutdownCommand: /usr: is not here or cannot be executed: install it',
  )
})
