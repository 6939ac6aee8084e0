/** Runs the real executable in a home of its own, beside a platform double. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SigningRequest } from '../../domain/signing/signer-protocol.js'
import { buildProgram } from '../../local/build-program.js'
import { homeAt } from '../../signer/home/home.js'
import { openHomeKeys } from '../../signer/home/open-home.js'
import { policySchema } from '../../signer/policy/policy.js'
import { sealPolicy } from '../../signer/policy/seal.js'
import { alice, approve, bob, ethRequest, MNEMONIC } from './fixture.js'
import { type PlatformDouble, startPlatform } from './platform-double.js'

const PASSPHRASE = 'correct horse battery'

export interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  /** Returns its output so far, of both streams. */
  readonly text: () => string
  readonly ended: Promise<number | null>
}

export interface Executable {
  readonly platform: PlatformDouble
  readonly directory: string
  readonly home: string
  /** Path of the witness file. */
  readonly witness: string
  /** Variables that are added to the environment of every call. */
  readonly environment: Record<string, string>
  run(args: readonly string[], input?: string): Promise<Result>
  /** Enrols the signer and pins two people. */
  enrol(): Promise<void>
  serve(...more: string[]): Running
  /**
   * Ends all processes and removes the directory.
   *
   * @param before - Called when no process uses the directory any more.
   */
  close(before?: () => void): Promise<void>
}

/** Builds the executable once for a file of tests. */
export async function buildSigner(): Promise<{ readonly program: string; readonly remove: () => void }> {
  const directory = mkdtempSync(join(tmpdir(), 'keyturn-program-'))
  const program = join(directory, 'keyturn-signer')
  await buildProgram('signer/main.ts', program)
  return { program, remove: () => rmSync(directory, { recursive: true }) }
}

/** Starts a platform, with paths for one signer. No signer is enrolled yet. */
export async function startExecutable(program: string): Promise<Executable> {
  const directory = mkdtempSync(join(tmpdir(), 'keyturn-signer-'))
  const home = join(directory, 'home')
  const witness = join(directory, 'elsewhere', 'witness')
  const platform = await startPlatform()
  const children: ChildProcess[] = []
  const environment: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    KEYTURN_SIGNER_PASSPHRASE: PASSPHRASE,
    KEYTURN_SIGNER_HOME: home,
    KEYTURN_SIGNER_WITNESS: witness,
  }

  function run(args: readonly string[], input = ''): Promise<Result> {
    return new Promise((resolve) => {
      const child = execFile(
        process.execPath,
        [program, ...args],
        { env: environment },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      )
      child.stdin?.end(input)
    })
  }

  async function must(args: readonly string[], input = ''): Promise<void> {
    const result = await run(args, input)
    if (result.code !== 0) throw new Error(`${args[0]} ended with ${result.code}: ${result.stderr}`)
  }

  return {
    platform,
    directory,
    home,
    witness,
    environment,
    run,
    async enrol() {
      const where = ['--platform', platform.url, '--token', platform.token]
      const tests = ['--insecure-test-scrypt-n', '1024', '--limit', 'ethereum:eth:100:250']
      await must(['init', '--restore', ...where, ...tests], MNEMONIC)
      // The tests of the command line pin people by its commands, which are slower: each is a process.
      const at = homeAt(home)
      const policy = policySchema.parse(JSON.parse(readFileSync(at.policy, 'utf8')))
      const approvers = [alice, bob].map(({ approverId, personId, publicKey }) => ({
        approver_id: approverId,
        person_id: personId,
        name: personId,
        public_key: publicKey,
      }))
      const text = `${JSON.stringify({ ...policy, approvers }, null, 2)}\n`
      sealPolicy(at, openHomeKeys(at, PASSPHRASE).sealKey, text)
    },
    serve(...more) {
      const child = spawn(process.execPath, [program, 'run', ...more], { env: environment })
      children.push(child)
      let text = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk))
      return {
        child,
        text: () => text,
        ended: new Promise((resolve) => child.once('exit', (code) => resolve(code))),
      }
    },
    async close(before) {
      for (const child of children) child.kill('SIGKILL')
      await platform.close()
      before?.()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Makes the honest request with the present time. */
export function payoutOfNow(id: string, nonce: number): SigningRequest {
  const time = (offset: number) => new Date(Date.now() + offset).toISOString()
  const base = ethRequest({
    intent: { withdrawal: `withdrawal_${id}`, created_at: time(0), expires_at: time(3_600_000) },
    payload: { nonce },
  })
  const approvals = [alice, bob].map((each) => approve(base.intent_hash, each, { signedAt: time(0) }))
  return { ...base, id: `srq_${id}_${nonce}`, approvals }
}
