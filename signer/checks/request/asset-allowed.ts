import { type Check, type RequestContext, refuse } from '../check.js'

/** The intent's asset must be one of the policy's, with the same contract and decimals. */
export const assetAllowed: Check<RequestContext> = {
  name: 'asset-allowed',
  run(context) {
    const { asset } = context.request.intent
    const same =
      context.asset !== undefined &&
      context.asset.contract === (asset.contract?.toLowerCase() ?? null) &&
      context.asset.decimals === asset.decimals
    if (same) return null
    return refuse(
      'ASSET_MISMATCH',
      `The policy has no such asset as ${asset.coin} of ${asset.contract ?? 'the network'}`,
    )
  },
}
