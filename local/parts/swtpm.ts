/** Finds and starts a TPM 2.0 in software, as a process of its own. */

import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { findExecutable } from './find-executable.js'
import type { Say } from './say.js'
import { type RunningProcess, startProcess, untilReady } from './start-process.js'

/**
 * Finds the executable: `KEYTURN_SWTPM_BIN`, PATH, our cache, and for root on Debian the distribution's
 * package.
 */
export async function findSwtpm(say: Say): Promise<string> {
  return findExecutable(
    {
      title: 'TPM in software (swtpm)',
      variable: 'KEYTURN_SWTPM_BIN',
      executable: 'swtpm',
      debianPackage: 'swtpm',
    },
    say,
  )
}

export interface SwtpmOptions {
  /** Directory of the TPM's memory. It survives a restart. */
  readonly stateDirectory: string
  /** Path of the Unix socket on which the TPM takes commands. */
  readonly socket: string
  readonly logFile: string
}

/** Starts a TPM and waits until it takes a connection. */
export async function startSwtpm(options: SwtpmOptions, say: Say = () => {}): Promise<RunningProcess> {
  const command = await findSwtpm(say)
  mkdirSync(options.stateDirectory, { recursive: true, mode: 0o700 })
  // A TPM that was killed has left its socket.
  rmSync(options.socket, { force: true })
  const running = await startProcess({
    name: 'swtpm',
    command,
    args: [
      'socket',
      '--tpm2',
      '--tpmstate',
      `dir=${options.stateDirectory}`,
      '--server',
      `type=unixio,path=${options.socket}`,
      '--flags',
      'not-need-init,startup-clear',
    ],
    logFile: options.logFile,
  })
  await untilReady(running, options.logFile, () => connectOnce(options.socket))
  return running
}

/**
 * Makes a terminal, writes the name of its other end into a file, and lets the TPM take commands there. A
 * kernel without modules for software TPMs has no nearer relative of a TPM's device.
 */
const ON_A_TERMINAL = `
use Fcntl;
my ($program, $memory, $name) = @ARGV;
my ($unlock, $number) = (pack("i", 0), pack("i", 0));
sysopen(my $near, "/dev/ptmx", O_RDWR | O_NOCTTY) or die "ptmx: $!";
ioctl($near, 0x40045431, $unlock) or die "unlock: $!";
ioctl($near, 0x80045430, $number) or die "number: $!";
my $path = "/dev/pts/" . unpack("i", $number);
system("stty raw -echo < $path") == 0 or die "stty";
# An open far end keeps the terminal alive between two connections.
sysopen(my $far, $path, O_RDWR | O_NOCTTY) or die "far end: $!";
fcntl($_, F_SETFD, 0) for $near, $far;
open(my $file, ">", $name) or die "name: $!";
print $file $path;
close $file;
exec($program, "chardev", "--tpm2", "--tpmstate", "dir=$memory", "--fd", fileno($near),
  "--flags", "not-need-init,startup-clear") or die "exec: $!";
`

/** Starts a TPM behind a character device. @returns The process, and the device's path. */
export async function startSwtpmDevice(
  options: Omit<SwtpmOptions, 'socket'>,
  say: Say = () => {},
): Promise<{ readonly running: RunningProcess; readonly device: string }> {
  const program = await findSwtpm(say)
  mkdirSync(options.stateDirectory, { recursive: true, mode: 0o700 })
  const name = `${options.stateDirectory}.device`
  const running = await startProcess({
    name: 'swtpm',
    command: 'perl',
    args: ['-e', ON_A_TERMINAL, program, options.stateDirectory, name],
    logFile: options.logFile,
  })
  await untilReady(running, options.logFile, async () => {
    if (readFileSync(name, 'utf8') === '') throw new Error('the device has no name yet')
  })
  return { running, device: readFileSync(name, 'utf8') }
}

function connectOnce(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path, () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}
