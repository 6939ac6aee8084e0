/** `verify-policy`: checks whether a policy is usable, and prints what it leaves open. */

import { Failure } from '../failure.js'
import { homeAt } from '../home/home.js'
import { dailyBurn } from '../policy/daily-burn.js'
import type { PolicyFile } from '../policy/policy.js'
import { sealState } from '../policy/seal.js'
import { type Command, homeOption, printJson, readOptions } from './command.js'
import { loadPolicy } from './export-policy.js'

const help = `keyturn-signer verify-policy --home DIR | --file FILE

Checks policy.json, or another file, without a change: whether it is usable, which coins
have no limit and which cannot be paid, and how much a compromised platform could burn a
day without an approval. The exit code is 1 when it is not usable.

  --home DIR    directory of this signer (also KEYTURN_SIGNER_HOME)
  --file FILE   another file than the policy in the home`

/** The `verify-policy` command. */
export const verifyPolicyCommand: Command = {
  help,
  async run(args) {
    const options = readOptions(args, { home: { type: 'string' }, file: { type: 'string' } })
    const home = options.file === undefined ? homeAt(homeOption(options.home)) : null
    const { file, hash, quorum, approvers, text } = loadPolicy(home?.policy ?? options.file ?? '')
    const seal = home ? sealState(home, text) : null
    const persons = new Set(file.approvers.map((each) => each.person_id)).size
    printJson({
      policy_hash: hash,
      ...(seal === null ? {} : { seal }),
      approvers: approvers.size,
      persons,
      quorum,
      pays: quorum >= 2 && persons >= quorum,
      ...openEnds(file),
      burnable_a_day: dailyBurn(file),
    })
    if (seal !== null && seal !== 'sealed') {
      throw new Failure('The policy is not the one that was sealed; see keyturn-signer policy --help')
    }
  },
}

/** Lists coins without a limit, and coins that cannot be paid. */
export function openEnds(file: PolicyFile): {
  readonly without_limit: string[]
  readonly not_paid: string[]
} {
  const assets = Object.entries(file.networks).flatMap(([network, each]) =>
    Object.entries(each.assets).map(([coin, limits]) => ({ name: `${network}:${coin}`, ...limits })),
  )
  const isNothing = (limit: string | null) => limit !== null && /^[0.]+$/.test(limit)
  return {
    without_limit: assets
      .filter((each) => each.per_transaction === null || each.daily === null)
      .map((each) => each.name),
    not_paid: assets
      .filter((each) => isNothing(each.per_transaction) || isNothing(each.daily))
      .map((each) => each.name),
  }
}
