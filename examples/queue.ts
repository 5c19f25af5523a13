/** Stops a campaign, slows it down and lets it go on. Run: node examples/queue.ts [SOCKET] */
import { Postrider, PostriderError } from 'postrider/client';

const postrider = new Postrider({ socketPath: process.argv[2] ?? '/run/postrider/control.sock' });
const campaign = { campaign_id: 'welcome' }; // and account_id, where the campaign is of an account

try {
  const { matched } = await postrider.hold(campaign, { dryRun: true });
  console.log(`${matched} would be held`);
  await postrider.hold(campaign);
  for await (const { hold, queued } of postrider.campaigns({ campaignId: campaign.campaign_id }))
    console.log(`${hold} of ${queued} held`);
  const { limits } = await postrider.limitCampaign(campaign.campaign_id, { rate: '100/1m' });
  console.log(`at most ${limits?.rate}`);
  const { job, state } = await postrider.release(campaign);
  console.log(`released: job ${job} is ${state}`); // postrider.job(job) says how far a large one is
} catch (error) {
  if (!(error instanceof PostriderError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
} finally {
  postrider.close();
}
