/** Runs the signer's executable with a home and a platform double of its own. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildProgram } from '../../local/build-program.js'
import type { Approver } from './fixture.js'
import { type PlatformDouble, startPlatform } from './platform-double.js'

export const PASSPHRASE = 'correct horse battery'

export interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface SignerProgram {
  readonly home: string
  readonly platform: PlatformDouble
  /** Runs a command to its end, with the passphrase and the home in its environment. */
  command(args: readonly string[], extra?: Record<string, string>): Promise<Result>
  init(more?: readonly string[]): Promise<Result>
  pin(approver: Approver): Promise<Result>
  /** Starts `run`. @returns Its output as it is now. */
  start(): () => string
  close(): Promise<void>
}

/** Builds the executable. @returns Its path. The caller removes the folder around it. */
export async function buildSigner(): Promise<string> {
  const program = join(mkdtempSync(join(tmpdir(), 'keyturn-program-')), 'keyturn-signer')
  await buildProgram('signer/main.ts', program)
  return program
}

/** Starts a platform double, with a home in which no signer is enrolled. */
export async function openSignerProgram(program: string): Promise<SignerProgram> {
  const platform = await startPlatform()
  const around = mkdtempSync(join(tmpdir(), 'keyturn-signer-'))
  const home = join(around, 'home')
  const environment = {
    PATH: process.env.PATH ?? '',
    KEYTURN_SIGNER_PASSPHRASE: PASSPHRASE,
    KEYTURN_SIGNER_HOME: home,
    XDG_STATE_HOME: join(around, 'state'),
  }
  const children: ChildProcess[] = []
  const command: SignerProgram['command'] = (args, extra = {}) =>
    new Promise((resolve) => {
      const child = execFile(
        process.execPath,
        [program, ...args],
        { env: { ...environment, ...extra } },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      )
      child.stdin?.end()
    })
  return {
    home,
    platform,
    command,
    init: (more = []) =>
      command([
        'init',
        ...['--platform', platform.url, '--token', platform.token],
        ...['--insecure-test-scrypt-n', '1024', '--witness', join(home, '..', 'witness')],
        ...more,
      ]),
    pin: ({ approverId, personId, publicKey }) =>
      command([
        'approve-device',
        ...['--id', approverId, '--person', personId, '--name', personId, '--public-key', publicKey],
      ]),
    start() {
      const child = spawn(process.execPath, [program, 'run'], { env: environment })
      children.push(child)
      let text = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk))
      return () => text
    },
    async close() {
      for (const child of children) child.kill('SIGKILL')
      await platform.close()
      rmSync(around, { recursive: true, force: true })
    },
  }
}
