/**
 * How much of what a receiver says is trouble: since there began to be more than is borne, in the step that is being
 * taken, and usually. Pure counts, no clock.
 *
 * More than is borne is told from chance by a sum that falls with each good reply (CUSUM; E. S. Page, Biometrika 41,
 * 1954). Some receivers refuse a few whatever the speed (limits of a mailbox, greylisting in other words): how much is
 * usual is learned where the speed cannot be the reason, which the caller knows.
 */

/** Trouble beyond the share that is borne before it is acted on, and how much more for each percent that is usual. */
const ENOUGH_TROUBLE = 2.5;
const MORE_TROUBLE = 5;
/** Percent; with less (a threshold of 0) trouble would never be forgotten. */
const LEAST_BORNE = 0.5;
/** More speed is tried with so many times the usual trouble, or with this part of the threshold above it. */
const CLEAR = 1.5;
const NEGLIGIBLE = 0.05;
/** Replies among which one of trouble is chance. */
const CHANCE_REPLIES = 200;
/** Replies that count half in what is usual: it is believed sooner that there is more than that there is less. */
const SLOWED = { more: 100, less: 500 } as const;
const FREE = { more: 500, less: 2_000 } as const;
/** So many are looked at together while nothing is slowed. */
const LOOK_REPLIES = 500;

export class TroubleCount {
  /** Since there began to be more trouble than is borne, and how much more it was. */
  #replies = 0;
  #trouble = 0;
  #excess = 0;
  #stepReplies = 0;
  #stepTrouble = 0;
  /** Percent. */
  #usual = 0;

  /** One more reply; `threshold`: percentage of trouble that is borne. */
  add(trouble: boolean, threshold: number): void {
    this.#replies++;
    this.#stepReplies++;
    if (trouble) {
      this.#trouble++;
      this.#stepTrouble++;
    }
    const borne = Math.max(threshold, LEAST_BORNE) / 100;
    this.#excess = Math.max(0, this.#excess + (trouble ? 1 : 0) - borne);
    if (this.#excess === 0) this.forget();
  }

  /** Share of trouble (0 to 1) since it began. */
  get share(): number {
    return this.#replies === 0 ? 0 : this.#trouble / this.#replies;
  }

  /** Nothing was accepted since it began. */
  get isAll(): boolean {
    return this.#replies > 0 && this.#trouble >= this.#replies;
  }

  /** It is more than is borne, and no chance. */
  isTooMuch(threshold: number): boolean {
    return this.#excess >= ENOUGH_TROUBLE + MORE_TROUBLE * this.#usual && this.share * 100 > threshold;
  }

  forget(): void {
    this.#replies = this.#trouble = this.#excess = 0;
  }

  // The step.

  newStep(): void {
    this.#stepReplies = this.#stepTrouble = 0;
  }

  get stepReplies(): number {
    return this.#stepReplies;
  }

  /** Percentage of trouble in this step. */
  get stepShare(): number {
    return this.#stepReplies === 0 ? 0 : (this.#stepTrouble / this.#stepReplies) * 100;
  }

  /** Percentage of trouble in this step beyond the usual one. */
  get stepMore(): number {
    return Math.max(0, this.stepShare - this.#usual);
  }

  /** `clear`: no more than usual; `open`: one reply of trouble may be chance, more replies will tell. */
  judgeStep(threshold: number): 'clear' | 'trouble' | 'open' {
    const { stepShare: share } = this;
    const more = this.#stepTrouble - (this.#usual / 100) * this.#stepReplies;
    const least = Math.max(this.#usual * CLEAR, this.#usual + threshold * NEGLIGIBLE);
    if (share <= least || (more < 2 && this.#stepReplies >= CHANCE_REPLIES)) return 'clear';
    return more >= 2 ? 'trouble' : 'open';
  }

  // What is usual.

  /** The speed was not the reason of the trouble in this step, if it was as little as is borne. */
  learn(threshold: number, half: Readonly<Record<'more' | 'less', number>> = SLOWED): void {
    const share = this.stepShare;
    if (share > threshold) return;
    const more = share - this.#usual;
    const replies = more > 0 ? half.more : half.less;
    this.#usual += more * (this.#stepReplies / (this.#stepReplies + replies));
  }

  /** The same while nothing is slowed, step by step. */
  learnFree(threshold: number): void {
    if (this.#stepReplies < LOOK_REPLIES) return;
    this.learn(threshold, FREE);
    this.newStep();
  }

  /** The same where there is no more trouble than usual: that there is less is believed. */
  learnLess(threshold: number): void {
    if (this.stepShare < this.#usual) this.learn(threshold);
  }

  /** All trouble of this step is usual: going slower did not help. */
  takeForUsual(threshold: number): void {
    this.#usual = Math.min(threshold, this.stepShare);
  }
}
