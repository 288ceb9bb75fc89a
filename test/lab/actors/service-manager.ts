// A service manager's end of sd_notify(3): a datagram socket in a host that notes what it is sent, and what was true then.
import type { Running } from '../world/process.ts'
import type { Place } from '../world/space.ts'

/** One datagram. */
export interface Notification {
  /** Its lines, joined by spaces. */
  readonly text: string
  /** Whether the check given held when it came. */
  readonly held: boolean
}

/** A socket that listens. */
export interface NotifySocket {
  /** For NOTIFY_SOCKET. */
  readonly name: string
  /** What came so far. */
  received(): readonly Notification[]
  readonly running: Running
}

// perl-base is on every Debian; neither Node nor busybox has datagram sockets of this family.
const LISTENER = `use Socket; $| = 1;
my ($name, $check) = @ARGV; (my $path = $name) =~ s/^@/\\0/;
socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die $!; bind($s, pack_sockaddr_un($path)) or die $!; print "listening\\n";
while (defined recv($s, my $text, 65536, 0)) {
  my $held = system("sh", "-c", $check) == 0 ? 1 : 0; $text =~ s/\\n/ /g; print "$held $text\\n" }`

/** Listens at `name` ("@..." is abstract); with each datagram the shell command `check` is run. */
export async function listenForNotifications(host: Place, name: string, check: string): Promise<NotifySocket> {
  await host.run('cat >/run/listen.pl', LISTENER)
  const running = await host.spawn(`perl /run/listen.pl '${name}' '${check}'`)
  await running.line(/^listening$/)
  return {
    name,
    running,
    received: () =>
      Array.from(running.stdout().matchAll(/^([01]) (.*)$/gm), ([, held, text = '']) => ({
        text: text.trim(),
        held: held === '1',
      })),
  }
}
