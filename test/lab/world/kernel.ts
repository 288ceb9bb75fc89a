// Kernels other than this machine's: those of Debian's suites, unpacked by `make kernels` and booted in an emulator, and
// User-Mode Linux, a kernel that is a program.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../actors/flanneld.ts'

/** A suite of Debian, for its kernel (5.10, 6.1, 6.12 and a new one); or User-Mode Linux, 6.1, which has no wireguard and nft for neither ip nor inet. */
export const KERNELS = ['bullseye', 'bookworm', 'trixie', 'sid', 'uml'] as const

export type Kernel = (typeof KERNELS)[number]

export function isKernel(word: string): word is Kernel {
  return KERNELS.some((kernel) => kernel === word)
}

/** What a kernel is started with. */
export interface Boot {
  /** The folder of the test, which holds the program to start (guest-init.ts). */
  readonly folder: string
  /** The tap device of its only card. */
  readonly device: string
  /** The last byte of its address, for a link-layer address of its own. */
  readonly last: number
}

/** The command that boots a kernel. Its console goes to stderr, the line by which it takes commands is stdin and stdout. */
export function bootCommand(kernel: Kernel, boot: Boot): readonly string[] {
  return kernel === 'uml' ? umlCommand(boot) : qemuCommand(kernel, boot)
}

/** The folder that holds `modules` of a kernel by its release. */
export function modulesFolder(kernel: Kernel): string {
  return kernel === 'uml' ? '/usr/lib/uml/modules' : join(folderOf(kernel), 'lib/modules')
}

function folderOf(kernel: Kernel): string {
  const folder = join(ROOT, 'build/kernels', kernel)
  if (!existsSync(join(folder, 'release'))) throw new Error(`${folder}: not there: make kernels`)
  return folder
}

const mac = (last: number): string => `52:54:00:13:00:${last.toString(16).padStart(2, '0')}`

function qemuCommand(kernel: Kernel, { folder, device, last }: Boot): readonly string[] {
  const share = 'local,security_model=none'
  const own = folderOf(kernel)
  return [
    'qemu-system-x86_64',
    ...['-nodefaults', '-no-reboot', '-display', 'none', '-m', '2G'],
    ...(hasVirtualization() ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg', '-cpu', 'max']),
    ...['-kernel', join(own, 'vmlinuz'), '-initrd', join(own, 'initramfs')],
    // On a busy machine an emulated timer may miss what the kernel checks it by.
    ...['-append', 'console=ttyS0 quiet panic=-1 no_timer_check random.trust_cpu=on'],
    ...['-serial', 'file:/dev/stderr', '-serial', 'stdio'],
    ...['-virtfs', `${share},path=/,mount_tag=machine,readonly=on,multidevs=remap`],
    ...['-virtfs', `${share},path=${folder},mount_tag=test`],
    ...['-netdev', `tap,id=card,ifname=${device},script=no,downscript=no`],
    ...['-device', `virtio-net-pci,netdev=card,mac=${mac(last)},romfile=,rx_queue_size=1024`],
  ]
}

/** Whether this machine's processor runs other kernels. /dev/kvm alone says too little: a virtual machine may have one that runs only its like. */
function hasVirtualization(): boolean {
  return existsSync('/dev/kvm') && /^flags\s.*\b(vmx|svm)\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))
}

function umlCommand({ folder, device, last }: Boot): readonly string[] {
  return [
    ...['env', 'TMPDIR=/dev/shm', 'linux.uml', `uml_dir=${folder}/`],
    ...[
      'root=/dev/root',
      'rootfstype=hostfs',
      'rootflags=/',
      'ro',
      'mem=2G',
      'quiet',
      'panic=1',
      `init=${folder}/init`,
    ],
    ...['con=null', 'con0=null,fd:2', 'ssl0=fd:0,fd:1'],
    `vec0:transport=tap,ifname=${device},depth=128,mac=${mac(last)}`,
  ]
}

/** The release of User-Mode Linux, which it is looked up by before it runs. */
export function umlRelease(): string {
  const [release] = readdirSync(modulesFolder('uml'))
  if (release === undefined) throw new Error(`${modulesFolder('uml')}: empty: scripts/setup-kernels.sh`)
  return release
}
