/** `approve-device`: pins an approver's key in the policy. */

import { createPublicKey } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { ZodError, z } from 'zod'
import { Failure } from '../failure.js'
import { homeAt } from '../home/home.js'
import { openHomeKeys } from '../home/open-home.js'
import { readPassphrase } from '../home/read-passphrase.js'
import { requireSignerFile } from '../home/signer-file.js'
import { compilePolicy, type PolicyFile, policySchema } from '../policy/policy.js'
import { sealPolicy } from '../policy/seal.js'
import { type Command, homeOption, printJson, readOptions, requireOption } from './command.js'
import { requireSealedPolicy } from './require-sealed-policy.js'

const help = `keyturn-signer approve-device --home DIR --id ID --person PERSON --name NAME --public-key KEY

Pins the Ed25519 key of an approver in policy.json, which a running signer reads again.
Check key and person with the approver, not with the platform: from now on this key moves
money.

  --home DIR         directory of this signer (also KEYTURN_SIGNER_HOME)
  --id ID            the approver's id at the platform (apr_…)
  --person PERSON    the person's id at the platform (per_…); two keys of a person count once
  --name NAME        for people
  --public-key KEY   32 bytes in base64, or a PEM file
  --remove           removes the approver; only --id is needed
  --passphrase-file FILE   else KEYTURN_SIGNER_PASSPHRASE, else asked for: it seals the policy`

const RAW_KEY = /^[A-Za-z0-9+/]{43}=$/

/** The `approve-device` command. */
export const approveDeviceCommand: Command = {
  help,
  async run(args) {
    const options = readOptions(args, {
      home: { type: 'string' },
      id: { type: 'string' },
      person: { type: 'string' },
      name: { type: 'string' },
      'public-key': { type: 'string' },
      remove: { type: 'boolean' },
      'passphrase-file': { type: 'string' },
    })
    const home = homeAt(homeOption(options.home))
    const id = requireOption(options.id, 'id')
    requireSignerFile(home)
    const { sealKey } = openHomeKeys(home, await readPassphrase(options['passphrase-file']))
    const { file } = requireSealedPolicy(home, sealKey)
    const others = file.approvers.filter((each) => each.approver_id !== id)
    const approvers = options.remove
      ? others
      : [
          ...others,
          {
            approver_id: id,
            person_id: requireOption(options.person, 'person'),
            name: requireOption(options.name, 'name'),
            public_key: readPublicKey(requireOption(options['public-key'], 'public-key')),
          },
        ]
    try {
      const changed: PolicyFile = policySchema.parse({ ...file, approvers })
      const { hash } = compilePolicy(changed)
      sealPolicy(home, sealKey, `${JSON.stringify(changed, null, 2)}\n`)
      const persons = new Set(changed.approvers.map((each) => each.person_id))
      printJson({
        policy_hash: hash,
        approvers: changed.approvers.length,
        persons: persons.size,
        quorum: changed.quorum,
      })
    } catch (error) {
      if (error instanceof ZodError) throw new Failure(z.prettifyError(error))
      throw new Failure(error instanceof Error ? error.message : 'The approver cannot be pinned')
    }
  },
}

function readPublicKey(value: string): string {
  if (RAW_KEY.test(value)) return value
  const pem = value.startsWith('-----BEGIN') ? value : existsSync(value) ? readFileSync(value, 'utf8') : null
  if (!pem) throw new Failure('--public-key is neither 32 bytes in base64 nor a PEM file')
  const { crv, x } = createPublicKey(pem).export({ format: 'jwk' })
  if (crv !== 'Ed25519' || !x) throw new Failure('--public-key is not an Ed25519 key')
  return Buffer.from(x, 'base64url').toString('base64')
}
