/** `export-policy`: prints the policy in force and its hash. */

import { readFileSync } from 'node:fs'
import { Failure } from '../failure.js'
import { homeAt } from '../home/home.js'
import { type Policy, parsePolicy } from '../policy/policy.js'
import { type Command, homeOption, printJson, readOptions } from './command.js'

const help = `keyturn-signer export-policy --home DIR

Prints {policy_hash, policy}. The hash is the SHA-256 of "keyturn-policy-v1\\n" and the
canonical JSON (RFC 8785) of the policy; every decision in the journal names it.

  --home DIR   directory of this signer (also KEYTURN_SIGNER_HOME)`

/** The `export-policy` command. */
export const exportPolicyCommand: Command = {
  help,
  async run(args) {
    const { home: directory } = readOptions(args, { home: { type: 'string' } })
    const home = homeAt(homeOption(directory))
    const policy = loadPolicy(home.policy)
    printJson({ policy_hash: policy.hash, policy: policy.file })
  },
}

/** Reads a policy for a command. @throws Failure that names the fault in it. */
export function loadPolicy(path: string): Policy & { readonly text: string } {
  try {
    const text = readFileSync(path, 'utf8')
    return { ...parsePolicy(text), text }
  } catch (error) {
    throw new Failure(error instanceof Error ? error.message : 'policy.json cannot be read', { cause: error })
  }
}
