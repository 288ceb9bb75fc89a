// A real etcd of a test's own: own ports, own temp folder, stopped by its pid.
// Invariant: nothing started here outlives stop(), which is called from the test's teardown.
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** How to start an etcd. */
export interface EtcdSetup {
  /** Further arguments of etcd, e.g. `--auth-token-ttl=2`. */
  readonly args?: readonly string[]
  /** TLS for clients: files as makeTls writes them; `clients` asks for client certificates too. */
  readonly tls?: { readonly ca: string; readonly certificate: string; readonly key: string; readonly clients?: boolean }
  /** Name of the network namespace to run in (ip-netns(8)) and the address to listen on there. */
  readonly namespace?: string
  readonly address?: string
  /** Port for clients; a free one when absent. */
  readonly port?: number
}

/** A running member. */
export interface Etcd {
  readonly endpoint: string
  readonly port: number
  readonly folder: string
  readonly pid: () => number
  /** Runs etcdctl against it (without credentials); its standard output. */
  ctl(...args: string[]): Promise<string>
  /** Kills it (SIGKILL) and waits. Data stay. */
  kill(): Promise<void>
  /** Starts it again on the same port, with the same data or with those of `dataFolder`. */
  restart(dataFolder?: string): Promise<void>
  /** SIGSTOP and SIGCONT. */
  freeze(): void
  thaw(): void
  /** Kills it and removes its folder. */
  stop(): Promise<void>
}

const handedOut = new Set<number>()

/**
 * A port of 127.0.0.1 that was free a moment ago, never the same twice. Below the range of ephemeral ports
 * (net.ipv4.ip_local_port_range), so that no outgoing connection takes it meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000)
    if (handedOut.has(port)) continue
    handedOut.add(port)
    const server = createServer()
    const free = await new Promise<boolean>((resolve) => {
      server
        .once('error', () => {
          resolve(false)
        })
        .listen(port, '127.0.0.1', () => {
          resolve(true)
        })
    })
    if (free) await new Promise((resolve) => server.close(resolve))
    if (free) return port
  }
}

/** Starts a single etcd and waits until it answers. */
export async function startEtcd(setup: EtcdSetup = {}): Promise<Etcd> {
  const inside = setup.namespace !== undefined
  const peer = inside ? 2380 : await freePort()
  const port = setup.port ?? (inside ? 2379 : await freePort())
  const address = setup.address ?? '127.0.0.1'
  const member = new Member(setup, address, port, [
    '--name=default',
    `--listen-peer-urls=http://127.0.0.1:${peer}`,
    `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
    `--initial-cluster=default=http://127.0.0.1:${peer}`,
  ])
  await startAll([member])
  return member
}

/** Starts a cluster of `size` members on loopback. */
export async function startCluster(size = 3, args: readonly string[] = []): Promise<readonly Etcd[]> {
  const ports: { peer: number; port: number }[] = []
  while (ports.length < size) ports.push({ peer: await freePort(), port: await freePort() })
  const cluster = ports.map(({ peer }, i) => `m${i}=http://127.0.0.1:${peer}`).join(',')
  const members = ports.map(
    ({ peer, port }, i) =>
      new Member({ args }, '127.0.0.1', port, [
        `--name=m${i}`,
        `--listen-peer-urls=http://127.0.0.1:${peer}`,
        `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
        `--initial-cluster=${cluster}`,
      ]),
  )
  await startAll(members)
  return members
}

async function startAll(members: readonly Member[]): Promise<void> {
  try {
    await Promise.all(members.map((member) => member.start()))
  } catch (error) {
    await Promise.all(members.map((member) => member.stop()))
    throw error
  }
}

/** A CA, a server certificate for `address` and localhost, and a client certificate, made with openssl in `folder`. */
export function makeTls(
  folder: string,
  address = '127.0.0.1',
): {
  ca: string
  certificate: string
  key: string
  clientCertificate: string
  clientKey: string
} {
  const at = (name: string): string => join(folder, name)
  const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { stdio: 'pipe' })
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...ec, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=test-ca')
  for (const [name, usage] of [
    ['server', 'serverAuth,clientAuth'],
    ['client', 'clientAuth'],
  ] as const) {
    openssl('req', ...ec, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`), '-subj', `/CN=${name}`,
      '-addext', `subjectAltName=IP:${address},DNS:localhost`, '-addext', `extendedKeyUsage=${usage}`) // prettier-ignore
    openssl('x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial',
      '-out', at(`${name}.pem`), '-days', '2', '-copy_extensions', 'copy') // prettier-ignore
  }
  return {
    ca: at('ca.pem'),
    certificate: at('server.pem'),
    key: at('server.key'),
    clientCertificate: at('client.pem'),
    clientKey: at('client.key'),
  }
}

class Member implements Etcd {
  readonly endpoint: string
  readonly port: number
  readonly folder = mkdtempSync(join(tmpdir(), `flanneld-etcd-${process.pid}-`))
  readonly #setup: EtcdSetup
  readonly #args: readonly string[]
  #process: ChildProcess | undefined
  #output = ''

  constructor(setup: EtcdSetup, address: string, port: number, args: readonly string[]) {
    this.#setup = setup
    this.port = port
    this.endpoint = `${setup.tls ? 'https' : 'http'}://${address}:${port}`
    const local = setup.tls || address === '127.0.0.1' ? '' : `,http://127.0.0.1:${port}`
    const tls = setup.tls && [
      `--cert-file=${setup.tls.certificate}`,
      `--key-file=${setup.tls.key}`,
      ...(setup.tls.clients ? ['--client-cert-auth', `--trusted-ca-file=${setup.tls.ca}`] : []),
    ]
    this.#args = [
      ...args,
      `--listen-client-urls=${this.endpoint}${local}`,
      `--advertise-client-urls=${this.endpoint}`,
      '--unsafe-no-fsync',
      '--log-level=warn',
      '--logger=zap',
      ...(tls ?? []),
      ...(setup.args ?? []),
    ]
  }

  pid(): number {
    const pid = this.#process?.pid
    if (pid === undefined) throw new Error('etcd is not running')
    return pid
  }

  async start(dataFolder = join(this.folder, 'data')): Promise<void> {
    const inside =
      this.#setup.namespace === undefined ? [] : ['nsenter', `--net=/var/run/netns/${this.#setup.namespace}`]
    const [program = 'etcd', ...args] = [...inside, 'etcd', `--data-dir=${dataFolder}`, ...this.#args]
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    this.#output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (this.#output = (this.#output + chunk.toString()).slice(-8_000)))
    }
    const deadline = Date.now() + 60_000
    for (;;) {
      if (child.exitCode !== null) throw new Error(`etcd ended with ${child.exitCode}: ${this.#output}`)
      try {
        await this.ctl('endpoint', 'health', '--command-timeout=1s')
        return
      } catch (error) {
        // With authentication on, `health` is refused only once etcd is up.
        if (/permission denied|user name is empty/.test(String(error))) return
        if (Date.now() > deadline)
          throw new Error(`etcd does not answer: ${String(error)} ${this.#output}`, { cause: error })
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }

  async ctl(...args: string[]): Promise<string> {
    const { tls, namespace } = this.#setup
    // With a client CA etcdctl shows the server's certificate, which is good for clients too.
    const files = tls
      ? [`--cacert=${tls.ca}`, ...(tls.clients ? [`--cert=${tls.certificate}`, `--key=${tls.key}`] : [])]
      : []
    const inside = namespace === undefined ? [] : ['nsenter', `--net=/var/run/netns/${namespace}`]
    const [program = 'etcdctl', ...rest] = [...inside, 'etcdctl', `--endpoints=${this.endpoint}`, ...files, ...args]
    const env = { ...process.env, ETCDCTL_API: '3' }
    return (await run(program, rest, { env, timeout: 30_000, maxBuffer: 256 << 20 })).stdout
  }

  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  async restart(dataFolder?: string): Promise<void> {
    await this.kill()
    await this.start(dataFolder)
  }

  freeze(): void {
    process.kill(this.pid(), 'SIGSTOP')
  }

  thaw(): void {
    process.kill(this.pid(), 'SIGCONT')
  }

  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The processor time a process has used, in milliseconds (proc(5), stat fields 14 and 15 at 100 ticks a second). */
export function cpuTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}
