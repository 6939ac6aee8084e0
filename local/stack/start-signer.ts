/** Starts the customer's signer as the customer does: by its own commands, with nothing of the platform's. */

import { createPublicKey } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { connect } from '../../db/connect.js'
import { createEnrolmentToken } from '../../db/merchants/create-enrolment-token.js'
import { homeAt } from '../../signer/home/home.js'
import { type PolicyFile, policySchema } from '../../signer/policy/policy.js'
import { buildProgram } from '../build-program.js'
import type { Merchants } from './bootstrap.js'
import { generousPolicy } from './generous-policy.js'
import type { Home } from './home.js'
import { runNode, startNode } from './start-node.js'
import type { Running } from './start-platform.js'
import type { StackApprover } from './state.js'

/** Raw keys are the last 32 bytes of an Ed25519 SPKI (RFC 8410). */
const RAW_KEY_BYTES = 32

export interface SignerFacts {
  readonly id: string
  readonly home: string
  readonly log: string
}

const enrolled = z.object({ signer_id: z.string() })

/** Builds the signer's executable. @returns Its path. */
export async function buildSigner(home: Home): Promise<string> {
  const executable = home.file('keyturn-signer')
  await buildProgram('signer/main.ts', executable)
  return executable
}

/**
 * Enrols a signer for each merchant at the first start, pins the approvers at the first signer, and runs
 * both.
 */
export async function startSigner(
  running: Running,
  executable: string,
  { merchant, otherMerchant, approvers }: Merchants,
): Promise<SignerFacts> {
  const [signer] = await Promise.all([
    enrolAndRun(running, executable, 'signer', merchant.id, approvers),
    enrolAndRun(running, executable, 'other-signer', otherMerchant.id, []),
  ])
  return signer
}

async function enrolAndRun(
  running: Running,
  executable: string,
  name: string,
  merchantId: string,
  approvers: readonly StackApprover[],
): Promise<SignerFacts> {
  const { home, ports, state, supervisor } = running
  const directory = home.file(name)
  const platform = `http://127.0.0.1:${ports.api}`
  const environment = {
    ...signerEnvironment(running),
    KEYTURN_SIGNER_HOME: directory,
    KEYTURN_SIGNER_WITNESS: home.file(`${name}-witness`),
  }
  const withPassphrase = { ...environment, KEYTURN_SIGNER_PASSPHRASE: state.signer_passphrase }
  const { signer: signerFile, policy: policyFile, seal } = homeAt(directory)
  const isNew = !existsSync(signerFile)
  if (isNew) {
    const token = await enrolmentToken(running, merchantId)
    // The environment carries them, because every user of the machine can see arguments.
    await runNode(home, name, executable, ['init', '--platform', platform, '--name', name], {
      ...withPassphrase,
      KEYTURN_ENROLMENT_TOKEN: token,
    })
  }
  // The policy of a home from an earlier version was never sealed.
  if (!existsSync(seal)) {
    await runNode(home, name, executable, ['policy', 'accept', '--yes'], withPassphrase)
  }
  const sealed = policySchema.parse(JSON.parse(readFileSync(policyFile, 'utf8')))
  const pinned = withApprovers(sealed, approvers)
  if (isNew || pinned.approvers.length > sealed.approvers.length) {
    // One command changes all, because each command derives the key from the passphrase for half a second.
    const wanted = `${policyFile}.wanted`
    const text = JSON.stringify(isNew ? generousPolicy(pinned) : pinned, null, 2)
    writeFileSync(wanted, `${text}\n`, { mode: 0o600 })
    await runNode(home, name, executable, ['policy', 'set', '--yes', '--from', wanted], withPassphrase)
  }
  await supervisor.keep(name, () => {
    const log = home.log(name)
    const written = existsSync(log) ? statSync(log).size : 0
    return startNode(home, {
      name,
      file: executable,
      args: ['run', '--platform', platform],
      environment: withPassphrase,
      ready: async () => {
        if (!readFileSync(log).subarray(written).includes('"Serving"'))
          throw new Error('It does not serve yet')
      },
    })
  })
  const { signer_id } = enrolled.parse(JSON.parse(readFileSync(signerFile, 'utf8')))
  return { id: signer_id, home: directory, log: home.log(name) }
}

/** Returns the policy with every approver pinned. */
function withApprovers(policy: PolicyFile, approvers: readonly StackApprover[]): PolicyFile {
  const pinned = new Set(policy.approvers.map((each) => each.approver_id))
  const missing = approvers
    .filter(({ id }) => !pinned.has(id))
    .map((approver) => ({
      approver_id: approver.id,
      person_id: approver.person_id,
      name: approver.name,
      public_key: publicKeyOf(approver),
    }))
  return { ...policy, approvers: [...policy.approvers, ...missing] }
}

/** Returns the environment of the customer's machine: its networks, and nothing of the platform's. */
function signerEnvironment({ environment }: Running): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      /^(ETHEREUM|BITCOIN|LITECOIN|POLYGON|KEYTURN_SIGNER|KEYTURN_NETWORKS_FILE)/.test(name)
        ? value
        : undefined,
    ]),
  )
}

async function enrolmentToken({ environment, state }: Running, merchantId: string): Promise<string> {
  const sql = connect(environment.KEYTURN_DATABASE_URL ?? '', { max: 1 })
  try {
    return (await createEnrolmentToken(sql, state.master_key, { merchantId })).token
  } finally {
    await sql.end({ timeout: 1 })
  }
}

function publicKeyOf(approver: StackApprover): string {
  const key = createPublicKey(approver.ed25519_private_key_pem).export({ type: 'spki', format: 'der' })
  return key.subarray(-RAW_KEY_BYTES).toString('base64')
}
