"""Words that tell names from other words: titles, companies, streets, and what is never a name."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


TITLES = words("mr mrs ms miss mx dr prof professor sir madam lady lord dame rev reverend fr herr frau señor señora")

COMPANY = words(
    """
    inc ltd llc llp plc corp corporation company co group gmbh ag sa bank university college school hospital institute
    foundation partners holdings systems technologies technology software solutions services industries labs
    association agency consulting capital media times news weekly magazine museum hotel restaurant church airport
    station stadium park bridge river lake mountain island county city club street avenue road drive st ave rd lane
    square place court boulevard terrace loop union way close suite squares row building house tower center centre
    route trail mall harbor harbour turnpike valley hills greens coves gardens heights orchestra band team council
    committee department ministry office act treaty library theatre theater festival cup league award prize
    """
)

NOT_NAMES = words(
    """
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december christmas easter god internet google facebook twitter microsoft apple amazon
    i bot user am pm ok tv usa uk eu ceo cto cfo sql atm pin zip ssn iban ip url http https api north south east west
    apt psc apo dpo fpo po ul rue via avenida calle nan null none oh ah wow hey hi hello yes no ok okay please thanks
    agent customer yeah muslim thank dear the a an in on at to of for by with from and or but if is are was were be as
    it its he she they we you my your his her their our this that these those what who when where why how which not do
    does did has have had can could would should all any some one two so then there here during new old san los las st
    saint
    """
)

KEPT = words("mr mrs ms miss dr prof jr sr ii iii phd md dds van von der den de del di da dos la le el al bin")
"""What stays of a name that is replaced."""
